import { readFile, writeFile } from 'node:fs/promises'

const file = '/proc/sys/net/ipv4/tcp_migrate_req'

/**
 * Makes Linux hand on what nobody has accepted yet when a process leaves a shared port, as docs/extract-a-module.md asks for:
 * otherwise it resets these connections, a few whenever the process is busy. Until disposed, for the whole machine. Without the
 * right to do so the run goes on as the machine is, and says so.
 */
export async function connectionsHandedOver(): Promise<AsyncDisposable> {
  const before = await readFile(file, 'utf8').catch(() => '1')
  const set = (value: string): Promise<void> =>
    writeFile(file, value).catch((error: unknown) => console.log(`  ${file} stays as it is: ${String(error)}`))
  if (before.trim() === '0') await set('1')
  return { [Symbol.asyncDispose]: async () => (before.trim() === '0' ? await set(before) : undefined) }
}
