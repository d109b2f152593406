import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Issued } from './authority.fixture.ts'
import type { TlsFiles } from './credentials.ts'

/** Files as Kubernetes mounts a secret: in a folder behind a symbolic link, which moves to another one in one step. */
export class Mounted {
  readonly #dir: string
  readonly files: TlsFiles
  #folders = 0

  private constructor(dir: string) {
    this.#dir = dir
    const [cert, key, ca] = ['cert', 'key', 'ca'].map((name) => join(dir, '..data', name))
    this.files = { cert: cert!, key: key!, ca: ca! }
  }

  static async create(): Promise<Mounted> {
    return new Mounted(await mkdtemp(join(tmpdir(), 'splitstream-tls-')))
  }

  async become({ cert, key }: Issued, ca: string): Promise<void> {
    const folder = join(this.#dir, `..${this.#folders++}`)
    await mkdir(folder)
    await Promise.all(Object.entries({ cert, key, ca }).map(([name, text]) => writeFile(join(folder, name), text)))
    await symlink(folder, join(this.#dir, '..next'))
    await rename(join(this.#dir, '..next'), join(this.#dir, '..data'))
  }

  close(): Promise<void> {
    return rm(this.#dir, { recursive: true, force: true })
  }
}
