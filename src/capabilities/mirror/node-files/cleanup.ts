// Puts back what was configured before us, and says so to whoever waits for it.
import { createServer } from 'node:http'
import { join } from 'node:path'
import { InputError } from '#kube/problem.ts'
import { becomeTree, draftOf, goneOf, readTree, takeAway } from './directory-tree.ts'
import { type FileOperations, realFiles } from './file-operations.ts'
import type { CleanupOptions } from './options.ts'
import { backupName, checkedDirectory, isBackup } from './writer.ts'

/** The backup on its way out: it says no longer that there is something to restore. */
const goneName = goneOf(backupName)

/**
 * Makes the directory be what the backup holds, byte for byte, and removes the backup. Without one nothing is touched. True where there
 * was one. Stopped in the middle and run again it ends the same.
 * @throws InputError for the path; FileFault
 */
export async function restoreBy(files: FileOperations, registryConfigPath: string): Promise<boolean> {
  const root = checkedDirectory(registryConfigPath)
  const backup = join(root, backupName)
  const gone = join(root, goneName)
  const isThere = (await files.look(backup))?.kind === 'directory'
  if (isThere) {
    const before = await readTree(files, backup)
    await becomeTree(files, { root, wanted: before, isLeft: isBackup })
    await files.rename(backup, gone)
    await files.flush(root)
  }
  await takeAway(files, gone)
  if (!isThere) await takeAway(files, join(root, draftOf(backupName)))
  return isThere
}

/**
 * Restores, then answers `GET /readyz` with 200 until `signal` is aborted.
 * @throws InputError for the address or the path, before a file is touched; FileFault
 */
export async function cleanUp({ registryConfigPath, address, signal, log }: CleanupOptions): Promise<void> {
  const listen = address === undefined ? undefined : parsedAddress(address)
  const isRestored = await restoreBy(realFiles, registryConfigPath)
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
