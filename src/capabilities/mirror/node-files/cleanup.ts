// Puts back what was configured before us, and says so to whoever waits for it.
import { createServer } from 'node:http'
import { join } from 'node:path'
import { InputError } from '#kube/problem.ts'
import { draftOf, goneOf, takeAway } from './directory-tree.ts'
import { fatesOfRestoring } from './fate.ts'
import { type FileOperations, realFiles } from './file-operations.ts'
import { readRecord, recordName, writeRecord } from './hosts-record.ts'
import { keptAt, keptName, moveKept } from './kept-aside.ts'
import type { CleanupOptions } from './options.ts'
import { backupName, carryOut, dropDrafts, lookAround } from './own-directory.ts'
import { checkedDirectory, readBackup } from './writer.ts'

/** The backup on its way out: it says no longer that there is something to restore. */
const goneName = goneOf(backupName)

/**
 * Makes the directory be what the backup holds, byte for byte, with all that others added since, and removes the backup. What they changed of
 * ours, and what of the backup something newer stands for, lies in `_kept` then. Without a backup nothing is touched. True where there was
 * one. Stopped in the middle and run again it ends the same.
 * @throws InputError for the path; FileFault
 */
export async function restoreBy(
  files: FileOperations,
  { registryConfigPath, nowMs, log }: Pick<CleanupOptions, 'registryConfigPath' | 'nowMs' | 'log'>,
): Promise<boolean> {
  const root = checkedDirectory(registryConfigPath)
  const backup = join(root, backupName)
  const gone = join(root, goneName)
  const isThere = (await files.look(backup))?.kind === 'directory'
  if (isThere) {
    await putBack(files, root, { nowMs, log })
    await moveKept(files, join(backup, keptName), join(root, keptName))
    await takeAway(files, gone)
    await files.rename(backup, gone)
    await files.flush(root)
  }
  await takeAway(files, join(root, recordName))
  await takeAway(files, gone)
  if (!isThere) await takeAway(files, join(root, draftOf(backupName)))
  return isThere
}

async function putBack(
  files: FileOperations,
  root: string,
  { nowMs, log }: Pick<CleanupOptions, 'nowMs' | 'log'>,
): Promise<void> {
  const before = await readBackup(files, root)
  const record = await readRecord(files, root)
  // From here on what lies in the backup may lie in its place again, put there by us.
  if (record?.isComplete === true) await writeRecord(files, root, { ...record, isComplete: false })
  const known = record === undefined ? undefined : { ...record, isComplete: false }
  const paths = new Set([...before.keys(), ...(record?.entries.keys() ?? [])])
  const { present, drafts } = await lookAround(files, root, { paths, isEveryFile: record === undefined })
  await dropDrafts(files, root, drafts)
  const fates = fatesOfRestoring({ present, before, record: known })
  const begin = async () => undefined
  const { kept } = await carryOut(files, { root, present, fates, keptAt: keptAt(nowMs), begin })
  for (const { path, place } of kept)
    log.warn({ directory: root, path }, `two versions of ${path} are there: the other one is kept as ${keptName}/${place}`)
}

/**
 * Restores, then answers `GET /readyz` with 200 until `signal` is aborted.
 * @throws InputError for the address or the path, before a file is touched; FileFault
 */
export async function cleanUp({ registryConfigPath, nowMs, address, signal, log }: CleanupOptions): Promise<void> {
  const listen = address === undefined ? undefined : parsedAddress(address)
  const isRestored = await restoreBy(realFiles, { registryConfigPath, nowMs, log })
  log.info(
    { directory: registryConfigPath },
    isRestored ? "containerd's hosts files are as they were before" : 'there is no backup: nothing to restore',
  )
  if (listen !== undefined) await answer(listen, signal)
}

interface Listen {
  readonly host: string | undefined
  readonly port: number
}

/** `:8080`, `10.0.0.7:8080`, `[::]:8080`. */
function parsedAddress(text: string): Listen {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text) ?? []
  if (port !== '' && Number(port) <= 65_535) {
    const host = bracketed ?? plain ?? ''
    return { host: host === '' ? undefined : host, port: Number(port) }
  }
  throw new InputError([
    { code: 'listen-address', where: '--addr', found: text, expected: 'an address such as ":8080" or "[::]:8080"' },
  ])
}

const answerMs = 5_000
const largestHeader = 8 * 1024
const mostConnections = 256

/** @throws Error where the address cannot be listened on */
async function answer({ host, port }: Listen, signal: AbortSignal): Promise<void> {
  const server = createServer(
    { maxHeaderSize: largestHeader, requestTimeout: answerMs, headersTimeout: answerMs },
    (request, response) => {
      const isAsked = new URL(request.url ?? '/', 'http://any').pathname === '/readyz'
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const status = !isAsked ? 404 : isRead ? 200 : 405
      response.writeHead(status, { 'content-length': 0, connection: 'close', ...(status === 405 ? { allow: 'GET, HEAD' } : {}) })
      response.end()
    },
  )
  server.maxConnections = mostConnections
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const end = () => {
    server.close(() => resolve())
    server.closeAllConnections()
  }
  server.once('error', reject)
  server.listen({ port, host }, () => {
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
  await promise
}
