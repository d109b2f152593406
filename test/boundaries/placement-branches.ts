import ts from 'typescript'
import { moduleNames } from '../../src/registry.ts'

export interface Branch {
  readonly file: string
  readonly line: number
  readonly text: string
}

const modules: ReadonlySet<unknown> = new Set(moduleNames)
/** The kinds of a link (src/links.ts). How another process is found is discovery; whether it is another one is placement. */
const kinds: ReadonlySet<unknown> = new Set(['local', 'kafka', 'static', 'dns', 'consul'])
const placing: ReadonlySet<unknown> = new Set(['local', 'kafka'])
const asking: ReadonlySet<string> = new Set([
  'includes',
  'indexOf',
  'has',
  'some',
  'every',
  'find',
  'findIndex',
  'filter',
])
const comparing: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
])
const ordering: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.LessThanToken,
  ts.SyntaxKind.LessThanEqualsToken,
  ts.SyntaxKind.GreaterThanToken,
  ts.SyntaxKind.GreaterThanEqualsToken,
  ...comparing,
])

/** Expressions of a file that ask which modules run here, or whether something is in this process: told by their types. */
export function branchesOf(file: ts.SourceFile, checker: ts.TypeChecker): Branch[] {
  const found: Branch[] = []
  const visit = (node: ts.Node): void => {
    if (asks(node, checker)) {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file))
      found.push({ file: file.fileName, line: line + 1, text: node.getText(file).split('\n')[0]! })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

function asks(node: ts.Node, checker: ts.TypeChecker): boolean {
  const typeOf = (one: ts.Node): ts.Type => checker.getNonNullableType(checker.getTypeAtLocation(one))
  if (ts.isBinaryExpression(node)) return compares(node, typeOf, checker)
  if (ts.isSwitchStatement(node)) return isAnyModule(typeOf(node.expression)) || isKind(typeOf(node.expression))
  if (ts.isElementAccessExpression(node)) return isKind(typeOf(node.argumentExpression))
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false
  const { expression: list, name } = node.expression
  // By its name, too: a list of texts says as much.
  return asking.has(name.text) && (isModules(typeOf(list), checker) || /\bmodules$/i.test(list.getText()))
}

function compares(
  { left, right, operatorToken: { kind: operator } }: ts.BinaryExpression,
  typeOf: (node: ts.Node) => ts.Type,
  checker: ts.TypeChecker,
): boolean {
  if (operator === ts.SyntaxKind.InKeyword) return isLink(typeOf(right), checker)
  const sides = [left, right]
  const isCount = (side: ts.Node): boolean =>
    ts.isPropertyAccessExpression(side) &&
    /^(length|size)$/.test(side.name.text) &&
    isModules(typeOf(side.expression), checker)
  if (ordering.has(operator) && sides.some(isCount)) return true
  if (!comparing.has(operator)) return false
  const types = sides.map(typeOf)
  // Both sides have to be such names: undefined is none.
  return (types.every(isModule) && types.some(isAnyModule)) || types.every(isKind)
}

const literals = (type: ts.Type): unknown[] =>
  (type.isUnion() ? type.types : [type]).map((one) => (one.isStringLiteral() ? one.value : undefined))

const isModule = (type: ts.Type): boolean => literals(type).every((value) => modules.has(value))

/** The three others are scopes of API keys, too. */
const isAnyModule = (type: ts.Type): boolean => isModule(type) && literals(type).includes('storage')

const isAnyKind = (type: ts.Type): boolean => literals(type).every((value) => kinds.has(value))

const isKind = (type: ts.Type): boolean => isAnyKind(type) && literals(type).some((value) => placing.has(value))

function isModules(type: ts.Type, checker: ts.TypeChecker): boolean {
  const [element] = checker.getTypeArguments(type as ts.TypeReference)
  return element !== undefined && isAnyModule(element)
}

function isLink(type: ts.Type, checker: ts.TypeChecker): boolean {
  const kind = type.getProperty('kind')
  return kind !== undefined && isKind(checker.getTypeOfSymbol(kind))
}
