// A program that works for us on directories that are open: it gets them as descriptors 3 and on, so that it looks up no path that others could change.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { FileWorkFailed } from '../file-work-failed.ts'
import type { OpenDirectory } from '../open-directory.ts'

/** The last lines say why it ended. */
const longestComplaint = 16 * 1024

/** What programs of the C library write where a call fails, without translation. */
const wordsOfCodes: readonly (readonly [words: string, code: string])[] = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Read-only file system', 'EROFS'],
  ['Stale file handle', 'ESTALE'],
  ['Permission denied', 'EACCES'],
  ['Operation not permitted', 'EPERM'],
  ['Input/output error', 'EIO'],
  ['File name too long', 'ENAMETOOLONG'],
  ['No such file or directory', 'ENOENT'],
]

/** What works on files beside our own processes: the image has each of them (`scripts/image/debian-base.ts`). */
export const programsOfFiles = ['cp', 'mkfifo', 'tar'] as const
type ProgramOfFiles = (typeof programsOfFiles)[number]

interface RunningProgram {
  readonly child: ChildProcess
  readonly output: Readable
  /** Its exit code and what it complained of. @throws FileWorkFailed PROGRAM where it could not be started, or a signal ended it */
  readonly ended: Promise<{ readonly code: number; readonly complaint: string }>
}

/** The name under which a program sees one of the directories that it got. */
export const directoryArgument = (index: number): string => `/proc/self/fd/${3 + index}/.`

/** Starts a program with its words as they are; no shell reads them. `onComplaint` gets each line of what it complains of. */
export function startProgram(
  program: ProgramOfFiles,
  words: readonly string[],
  directories: readonly OpenDirectory[],
  onComplaint: (line: string) => void = () => undefined,
): RunningProgram {
  const child = spawn(program, words, {
    stdio: ['ignore', 'pipe', 'pipe', ...directories.map(({ fd }) => fd)],
    windowsHide: true,
  })
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) throw new TypeError('pipes were asked for')
  let complaint = ''
  createInterface({ input: stderr }).on('line', line => {
    complaint = `${complaint}${line}\n`.slice(-longestComplaint)
    onComplaint(line)
  })
  const ended = (async () => {
    try {
      const [code, signal] = await once(child, 'close')
      if (typeof code === 'number') return { code, complaint }
      throw new FileWorkFailed('PROGRAM', `${program} was ended by ${signal}`)
    } catch (error) {
      if (error instanceof FileWorkFailed) throw error
      const why = error instanceof Error ? error.message : String(error)
      throw new FileWorkFailed('PROGRAM', `${program} could not be started: ${why}; is it in the image?`, { cause: error })
    }
  })()
  // Who reads its output first asks later how it ended.
  ended.catch(() => undefined)
  return { child, output: stdout, ended }
}

/** The failure of a program, with the code of the system that its complaint names. */
export function programFailure(program: string, about: string, complaint: string): FileWorkFailed {
  const code = wordsOfCodes.find(([words]) => complaint.includes(words))?.[1] ?? 'PROGRAM'
  const last = complaint.trim().split('\n').slice(-3).join('; ')
  return new FileWorkFailed(code, `${program} ${about}: ${last === '' ? 'it failed without a word' : last}`, { path: about })
}
