// A clone, made by `cp -a`, which keeps owners, bits, times, links, holes and extended attributes.
import { readFileSync } from 'node:fs'
import { shown } from '../byte-text.ts'
import type { FileWorkOf, FileWorkResult } from '../file-work.ts'
import { FileWorkFailed, systemFailure } from '../file-work-failed.ts'
import { isWithin, OpenDirectory, openBelow } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import { partsOrRoot } from '../relative-path.ts'
import { directoryArgument, programFailure, startProgram } from '../tar/child-program.ts'

const lookMs = 1_000

/** @throws FileWorkFailed EINVAL where the one lies within the other; PROGRAM; UNSAFE_PATH; what the system says */
export async function copyTree(
  { from, root, path }: FileWorkOf<'copyTree'>,
  progress: Progress,
): Promise<FileWorkResult<'copyTree'>> {
  using sourceRoot = OpenDirectory.root(from.root)
  using source = openBelow(sourceRoot, partsOrRoot(from.path))
  using targetRoot = OpenDirectory.root(root)
  using target = openBelow(targetRoot, partsOrRoot(path))
  if (isWithin(target, source) || isWithin(source, target))
    throw new FileWorkFailed('EINVAL', `copy ${shown(source.path)} to ${shown(target.path)}: the one lies within the other`, {
      path: shown(target.path),
    })
  // A file that the target has is removed first: written through, a link that a part of a copy has left would lead anywhere.
  const words = ['-a', '--remove-destination', '-T', '--', directoryArgument(0), directoryArgument(1)]
  const { ended, output, child } = startProgram('cp', words, [source, target])
  output.resume()
  const stop = new AbortController()
  const looking = look(child.pid, progress, stop.signal)
  try {
    const { code, complaint } = await ended
    if (code !== 0) throw programFailure('cp', shown(target.path), complaint)
    return { copied: true }
  } finally {
    child.kill('SIGKILL')
    stop.abort()
    await looking
  }
}

/** The kernel counts what a process writes; the program itself tells nothing. */
async function look(pid: number | undefined, progress: Progress, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && pid !== undefined) {
    progress.bytes = Math.max(progress.bytes, writtenBy(pid))
    progress.told()
    try {
      await progress.clock.after(lookMs, signal)
    } catch (error) {
      if (error !== signal.reason) throw error
    }
  }
}

function writtenBy(pid: number): number {
  try {
    return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1] ?? 0)
  } catch (error) {
    // It has ended, or the kernel keeps no such count.
    if (systemFailure(error) !== undefined) return 0
    throw error
  }
}
