const jsonType = /^\s*[a-z0-9!#$&^_.+-]+\/(?:[a-z0-9!#$&^_.+-]+\+)?json\s*(?:;|$)/i

/** True when a Content-Type says that the data is one JSON value: `…/json` and `…+json`, and not `application/json-seq`. */
export const isJsonType = (contentType: string): boolean => jsonType.test(contentType)
