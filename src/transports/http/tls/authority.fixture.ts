import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Why no certificates can be made here; undefined when they can. */
export const authorityUnavailable =
  spawnSync('openssl', ['version']).status === 0 ? undefined : 'openssl is not in PATH'

export interface Issued {
  readonly cert: string
  readonly key: string
}

export interface IssueOptions {
  /** Such as DNS:storage, IP:127.0.0.1 or URI:spiffe://acme/storage */
  readonly names: readonly string[]
  readonly from?: Date
  readonly until?: Date
}

const settings = (dir: string): string => `
[ca]
default_ca = this
[this]
new_certs_dir = ${dir}
database = ${dir}/index.txt
serial = ${dir}/serial
certificate = ${dir}/ca.pem
private_key = ${dir}/ca.key
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
x509_extensions = leaf
[any]
commonName = supplied
[req]
distinguished_name = empty
[empty]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = serverAuth, clientAuth
`

const run = promisify(execFile)
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** A certificate authority for a test, made by openssl. To be closed. */
export class Authority {
  readonly #dir: string
  /** Its certificate, PEM. */
  readonly ca: string
  #last: Promise<unknown> = Promise.resolve()

  private constructor(dir: string, ca: string) {
    this.#dir = dir
    this.ca = ca
  }

  static async create(name: string): Promise<Authority> {
    const dir = await mkdtemp(join(tmpdir(), 'splitstream-authority-'))
    await writeFile(join(dir, 'settings'), settings(dir))
    await writeFile(join(dir, 'index.txt'), '')
    await writeFile(join(dir, 'serial'), '01\n')
    const files = ['-keyout', join(dir, 'ca.key'), '-out', join(dir, 'ca.pem')]
    const subject = ['-subj', `/CN=${name}`, '-days', '3650', '-extensions', 'root']
    await run('openssl', ['req', '-x509', ...newKey, '-config', join(dir, 'settings'), ...subject, ...files])
    return new Authority(dir, await readFile(join(dir, 'ca.pem'), 'utf8'))
  }

  /** For both sides of a call. Valid from yesterday until in a year when not told otherwise. */
  issue(o: IssueOptions): Promise<Issued> {
    // Its list of what was issued takes one at a time.
    const issued = this.#last.then(() => this.#issue(o))
    this.#last = issued.catch(() => undefined)
    return issued
  }

  close(): Promise<void> {
    return rm(this.#dir, { recursive: true, force: true })
  }

  async #issue({ names, from = inDays(-1), until = inDays(365) }: IssueOptions): Promise<Issued> {
    const [config, key, request, cert] = ['settings', 'key', 'request', 'cert'].map((name) => join(this.#dir, name))
    const about = ['-subj', '/CN=test', '-addext', `subjectAltName=${names.join(',')}`]
    await run('openssl', ['req', '-new', ...newKey, '-config', config!, ...about, '-keyout', key!, '-out', request!])
    const dates = ['-startdate', utc(from), '-enddate', utc(until)]
    await run('openssl', ['ca', '-batch', '-notext', '-config', config!, '-in', request!, '-out', cert!, ...dates])
    return { cert: await readFile(cert!, 'utf8'), key: await readFile(key!, 'utf8') }
  }
}

export const inDays = (days: number): Date => new Date(Date.now() + days * 86_400_000)

/** 20261126130000Z */
const utc = (date: Date): string => `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
