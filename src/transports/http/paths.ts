/** Where ports are served. GET says which; POST on one of its methods calls it. */
export const portsPath = '/internal/ports'

export const methodPath = (port: string, version: number, method: string): string =>
  `${portsPath}/${encodeURIComponent(port)}/v${version}/${encodeURIComponent(method)}`

/**
 * Header of every answer: `answer` and `error` are the callee's own words, `refused` means that the callee never saw the
 * call. An answer without it comes from somebody else, such as a proxy.
 */
export const outcomeHeader = 'splitstream-outcome'

export const streamType = 'application/x-ndjson'
export const problemType = 'application/problem+json'
