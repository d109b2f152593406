/** The engine itself, asked over its HTTP interface. */
export class Engine {
  readonly #url: URL

  constructor(url: string) {
    this.#url = new URL(url)
  }

  /** The answer as text. @throws Error with the engine's words */
  async run(sql: string): Promise<string> {
    const { origin, pathname, username, password } = this.#url
    const response = await fetch(`${origin}/?database=${pathname.slice(1)}`, {
      method: 'POST',
      headers: {
        'x-clickhouse-user': decodeURIComponent(username),
        'x-clickhouse-key': decodeURIComponent(password),
      },
      body: sql,
    })
    const text = await response.text()
    if (!response.ok) throw new Error(text)
    return text
  }
}
