import { constants, existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * A copy of the chDB engine whose replicas can reach each other. The engine has all of ReplicatedMergeTree, but as it is no server
 * it never learns its own address, and without one a replica stays read-only. Three getters of its Context are filled in:
 * getInterserverIOAddress gives 127.0.0.1 and a port that is written into the process (setPort), getInterserverScheme "http", and
 * getInterserverCredentials credentials without name and password. All else is the engine as it is in the package.
 */
const version = '3.4.0'
const platform = 'linux-x64'
/** Addresses in libchdb.so of that version: from `.text`, with the bytes that are there; and zeroed memory behind `.bss`. */
const text = { address: 0x916e46c, offset: 0x916d46c }
const functions = {
  address: { at: 0x1417c9c0, bytes: '4156534883ec484c8b36' },
  credentials: { at: 0x1417c940, bytes: '41574156534c8b3f' },
  scheme: { at: 0x1417cac0, bytes: '488b0680b8870100' },
}
const zeroes = 0x22b98a00
const portAt = 0x22b98a80

const from = createRequire(createRequire(import.meta.url).resolve('chdb'))
const cache = fileURLToPath(
  new URL(`../../../node_modules/.cache/splitstream/chdb-${version}-replicas/`, import.meta.url),
)

/** Undefined when there can be a copy; else why not. */
export function engineCopyMissing(): string | undefined {
  if (`${process.platform}-${process.arch}` !== platform) return `replicas of the engine are made on ${platform} only`
  const { version: found } = from('chdb/package.json') as { version: string }
  return found === version ? undefined : `replicas are made of chdb ${version}, and ${found} is installed`
}

/** Makes the copy once (570 MB), and returns the module to load in place of the engine's. @throws Error */
export async function engineCopy(): Promise<string> {
  const entry = join(cache, 'index.js')
  if (existsSync(entry)) return entry
  const source = dirname(from.resolve('@chdb/lib-linux-x64-gnu'))
  const part = `${cache.replace(/\/$/, '')}.${process.pid}.part`
  await mkdir(part, { recursive: true })
  try {
    for (const file of ['chdb_node.node', 'index.js', 'libchdb.so']) {
      await copyFile(join(source, file), join(part, file), constants.COPYFILE_FICLONE)
    }
    await patch(join(part, 'libchdb.so'))
    await rename(part, cache).catch((error: unknown) => {
      if (!existsSync(entry)) throw error // another run may have been faster
    })
  } finally {
    await rm(part, { recursive: true, force: true })
  }
  return entry
}

async function patch(library: string): Promise<void> {
  const code = {
    // mov rax, "127.0.0." · mov [rdi], rax · mov word [rdi+8], "1" · mov byte [rdi+23], 9 · mov ax, [port] · mov [rdi+24], ax ·
    // mov rax, rdi · ret
    address: [
      ...Buffer.from('48b8', 'hex'),
      ...Buffer.from('127.0.0.'),
      ...Buffer.from('48890766c747083100c6471709668b05', 'hex'),
      ...relative(portAt, functions.address.at + 30),
      ...Buffer.from('668947184889f8c3', 'hex'),
    ],
    // lea rax, [zeroes] · xor edx, edx · ret
    credentials: [
      ...Buffer.from('488d05', 'hex'),
      ...relative(zeroes, functions.credentials.at + 7),
      ...Buffer.from('31d2c3', 'hex'),
    ],
    // mov qword [rdi], "http" · mov byte [rdi+23], 4 · mov rax, rdi · ret
    scheme: [...Buffer.from('48c70768747470c64717044889f8c3', 'hex')],
  }
  const file = await open(library, 'r+')
  try {
    for (const [name, { at, bytes }] of Object.entries(functions)) {
      const offset = at - text.address + text.offset
      const { buffer } = await file.read(Buffer.alloc(bytes.length / 2), 0, bytes.length / 2, offset)
      if (buffer.toString('hex') !== bytes) throw new Error(`${library} is another build: ${name} is not where it was`)
      const patched = Buffer.from(code[name as keyof typeof code])
      await file.write(patched, 0, patched.length, offset)
    }
  } finally {
    await file.close()
  }
}

function relative(target: number, next: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeInt32LE(target - next)
  return out
}

/** In the process that has loaded the copy: the port at which others reach its parts. */
export async function setPort(port: number): Promise<void> {
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n')
  const first = maps.find((line) => line.includes('libchdb.so') && / 00000000 /.test(line))
  if (!first) throw new Error('the engine is not loaded')
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(port)
  const memory = await open('/proc/self/mem', 'r+')
  try {
    await memory.write(bytes, 0, 2, Number.parseInt(first.split('-')[0]!, 16) + portAt)
  } finally {
    await memory.close()
  }
}
