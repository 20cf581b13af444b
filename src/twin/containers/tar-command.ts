// `tar` as `kubectl cp` calls it: an archive of files to standard output, or one from standard input into a folder.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { extract, pack } from 'tar-stream'
import { type ContainerFiles, FileFault, pathIn } from './container-files.ts'
import type { ShellStreams } from './shell-streams.ts'

const largestArchive = 16 * 1024 * 1024

/** Runs `tar` in `directory`. Resolves with its exit code. @throws FileFault */
export async function tar(
  args: readonly string[],
  files: ContainerFiles,
  directory: string,
  streams: ShellStreams,
): Promise<number> {
  const [mode = '', archive = '', ...rest] = args
  const flags = mode.replace(/^-/, '')
  if (!/^[cx][mpz]*f$/.test(flags) || flags.includes('z') || archive !== '-')
    throw new FileFault("the twin's tar has cf - FILE… and xf - [-C FOLDER]")
  const into = rest.indexOf('-C')
  const from = into < 0 ? directory : pathIn(directory, rest[into + 1] ?? '.')
  const paths = rest.filter((_arg, index) => into < 0 || (index !== into && index !== into + 1))
  return flags.startsWith('c') ? await packed(paths, files, from, streams) : await unpacked(files, from, streams)
}

async function packed(
  paths: readonly string[],
  files: ContainerFiles,
  directory: string,
  streams: ShellStreams,
): Promise<number> {
  const archive = pack()
  let code = 0
  for (const path of paths) {
    const at = pathIn(directory, path)
    if (path.startsWith('/')) await streams.stderr(Buffer.from("tar: Removing leading `/' from member names\n"))
    if (files.kind(at) === undefined) {
      await streams.stderr(Buffer.from(`tar: ${path}: Cannot stat: No such file or directory\n`))
      code = 2
    } else add(at, path.replace(/^\/+/, ''))
  }
  archive.finalize()
  for await (const piece of archive) await streams.stdout(bytesOf(piece))
  return code

  function add(at: string, name: string): void {
    if (files.kind(at) === 'directory') {
      archive.entry({ name: `${name}/`, type: 'directory', mode: 0o755, mtime: new Date(0) })
      for (const inner of files.list(at)) add(pathIn(at, inner), `${name}/${inner}`)
    } else archive.entry({ name, mode: 0o644, mtime: new Date(0) }, files.read(at))
  }
}

/** A file that is too large ends it: what a container holds is bounded. */
async function unpacked(files: ContainerFiles, directory: string, streams: ShellStreams): Promise<number> {
  const archive = extract()
  let size = 0
  const taking = (async () => {
    for await (const entry of archive) {
      const at = pathIn(directory, entry.header.name)
      const isInside = at === directory || at.startsWith(directory === '/' ? '/' : `${directory}/`)
      if (!isInside) throw new FileFault(`${entry.header.name}: is outside of ${directory}`)
      if (entry.header.type === 'directory') files.makeDirectory(at)
      const pieces: Buffer[] = []
      for await (const piece of entry) {
        const bytes = bytesOf(piece)
        size += bytes.length
        if (size > largestArchive) throw new FileFault('No space left on device')
        pieces.push(bytes)
      }
      if (entry.header.type === 'file') files.write(at, Buffer.concat(pieces))
    }
  })()
  const results = await Promise.allSettled([pipeline(Readable.from(streams.stdin), archive), taking])
  const [, taken] = results
  if (taken.status === 'rejected' && taken.reason instanceof FileFault) throw taken.reason
  for (const result of results)
    if (result.status === 'rejected') {
      await streams.stderr(Buffer.from('tar: This does not look like a tar archive\n'))
      return 2
    }
  return 0
}

/** Archives are read and written in bytes; their types do not say so. */
function bytesOf(piece: unknown): Buffer {
  if (piece instanceof Uint8Array) return Buffer.from(piece)
  throw new TypeError('a piece of an archive is no bytes')
}
