import ts from 'typescript'

/** What may cross a port, as data: comparable, and readable in a diff. */
export type Shape =
  | { readonly is: string }
  | { readonly anyOf: readonly Shape[] }
  | { readonly items: Shape }
  /** Items one after another, as they come: no array. */
  | { readonly stream: Shape }
  | { readonly values: Shape }
  | { readonly members: Readonly<Record<string, { readonly optional: boolean; readonly type: Shape }>> }

/** Reads the shape of a type. @throws Error for a type that cannot cross a port */
export function shapeOf(type: ts.Type, checker: ts.TypeChecker, at: string, within: readonly ts.Type[] = []): Shape {
  if (within.includes(type)) return { is: `${checker.typeToString(type)} again` }
  const inside = [...within, type]
  const next = (inner: ts.Type, name: string): Shape => shapeOf(inner, checker, `${at}.${name}`, inside)
  if (type.flags & ts.TypeFlags.Boolean) return { is: 'boolean' }
  if (type.isUnion()) return unionOf(type.types.map((one) => shapeOf(one, checker, at, within)))
  if (type.isStringLiteral() || type.isNumberLiteral()) return { is: JSON.stringify(type.value) }
  const simple = ts.TypeFlags.String | ts.TypeFlags.Number | ts.TypeFlags.Null | ts.TypeFlags.Unknown
  if (type.flags & (simple | ts.TypeFlags.Undefined | ts.TypeFlags.BooleanLiteral)) {
    return { is: checker.typeToString(type) }
  }
  if (type.symbol?.name === 'Uint8Array') return { is: 'bytes' }
  const [element] = checker.getTypeArguments(type as ts.TypeReference)
  if (checker.isArrayType(type) && element) return { items: next(element, '[]') }
  if (type.symbol?.name === 'AsyncIterable' && element) return { stream: next(element, 'each') }
  const index = type.getStringIndexType()
  if (index) return { values: next(index, '*') }
  if (!(type.flags & ts.TypeFlags.Object) || type.getCallSignatures().length > 0) {
    throw new Error(`${at}: ${checker.typeToString(type)} cannot cross a port`)
  }
  const members = type.getProperties().map((property) => {
    const optional = (property.flags & ts.SymbolFlags.Optional) !== 0
    const found = next(checker.getTypeOfSymbol(property), property.name)
    return [property.name, { optional, type: optional ? withoutUndefined(found) : found }] as const
  })
  return { members: Object.fromEntries(members.toSorted(([a], [b]) => (a < b ? -1 : 1))) }
}

function unionOf(parts: readonly Shape[]): Shape {
  const texts = parts.flatMap((part) => ('anyOf' in part ? part.anyOf : [part])).map((part) => JSON.stringify(part))
  const both = ['{"is":"false"}', '{"is":"true"}']
  const joined = both.every((one) => texts.includes(one))
    ? [...texts.filter((text) => !both.includes(text)), '{"is":"boolean"}']
    : texts
  const distinct = [...new Set(joined)].sort().map((text) => JSON.parse(text) as Shape)
  return distinct.length === 1 ? distinct[0]! : { anyOf: distinct }
}

/** A member that is undefined is a member that is missing. */
function withoutUndefined(shape: Shape): Shape {
  return 'anyOf' in shape ? unionOf(shape.anyOf.filter((one) => !('is' in one && one.is === 'undefined'))) : shape
}
