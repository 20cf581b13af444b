// A worker's own process: does one work on files after the other, as its driver says, and ends with it. A call that a server never answers holds this process
// alone. Works are loaded when they are asked for; most calls synchronous ones, since nothing else goes on here.
import { systemClock } from '#kube/clock.ts'
import type { AnyFileWork, FileWorkKind, FileWorkOf, FileWorkResult, FromWorker } from './file-work.ts'
import { FileWorkFailed, systemFailure } from './file-work-failed.ts'
import { Progress } from './progress.ts'

type Doing = {
  readonly [Kind in FileWorkKind]: (work: FileWorkOf<Kind>, progress: Progress) => Promise<FileWorkResult<Kind>>
}

const doing: Doing = {
  makeDirectory: async work => (await import('./tree/make-directory.ts')).makeDirectory(work),
  removeTree: async (work, progress) => await (await import('./tree/remove-tree.ts')).removeTree(work, progress),
  archiveTree: async (work, progress) => await (await import('./tree/archive-tree.ts')).archiveTree(work, progress),
  copyTree: async (work, progress) => await (await import('./tree/copy-tree.ts')).copyTree(work, progress),
  list: async work => (await import('./tree/look.ts')).list(work),
  stat: async work => (await import('./tree/look.ts')).stat(work),
  statfs: async work => (await import('./tree/look.ts')).statfs(work),
  survey: async (work, progress) => await (await import('./tree/survey.ts')).survey(work, progress),
  expireTree: async (work, progress) => await (await import('./tree/expire-tree.ts')).expireTree(work, progress),
  usage: async (work, progress) => await (await import('./tree/usage.ts')).usage(work, progress),
  fingerprint: async (work, progress) => await (await import('./tree/fingerprint.ts')).fingerprint(work, progress),
  readRecord: async work => (await import('./tree/records.ts')).readRecord(work),
  writeRecord: async work => (await import('./tree/records.ts')).writeRecord(work),
  rename: async work => (await import('./tree/records.ts')).rename(work),
  sweep: async (work, progress) => await (await import('./tree/sweep.ts')).sweep(work, progress),
  pack: async (work, progress) => await (await import('./tar/pack.ts')).pack(work, progress),
  unpack: async (work, progress) => await (await import('./tar/unpack.ts')).unpack(work, progress),
  verify: async (work, progress) => await (await import('./tar/verify.ts')).verify(work, progress),
}

async function answerTo<Kind extends FileWorkKind>(kind: Kind, work: FileWorkOf<Kind>): Promise<FromWorker> {
  try {
    const progress = new Progress(systemClock, told => say({ kind: 'progress', progress: told }))
    return { kind: 'result', result: await doing[kind](work, progress) }
  } catch (error) {
    return failureOf(kind, error)
  }
}

function failureOf(kind: FileWorkKind, error: unknown): FromWorker {
  const { code, message, path } = error instanceof FileWorkFailed ? error : unforeseen(kind, error)
  return { kind: 'failure', code, message, path }
}

function unforeseen(kind: FileWorkKind, error: unknown): FileWorkFailed {
  const failure = systemFailure(error)
  if (failure !== undefined) return new FileWorkFailed(failure.code, `${kind}: ${failure.words} (${failure.code})`)
  return new FileWorkFailed('PROGRAM', `${kind}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
}

function say(message: FromWorker): void {
  process.send?.(message)
}

/** Does what its driver sends, until that is gone. */
export function serve(): void {
  // Our driver's own messages.
  process.on('message', async (work: AnyFileWork) => say(await answerTo(work.kind, work)))
  process.on('disconnect', () => {
    // Programs that work for us are of our group, and there is nobody left to end them.
    process.kill(-process.pid, 'SIGKILL')
  })
}

if (import.meta.main) serve()
