// Texts of files that may be exchanged while we run, such as authorities in PEM: read at the start, and again every minute.
import { readFile } from 'node:fs/promises'
import type { Cancel, Clock } from '../../clock.ts'
import { type Log, messageOf } from '../../log.ts'
import { InputError } from '../../problem.ts'
import { certificatesIn } from '../certificate-trust.ts'

const lookAgainMs = 60_000

interface FollowOptions<Name extends string> {
  /** By name: the path, and the flag that names it. */
  readonly files: Readonly<Record<Name, { readonly path: string; readonly flag: string }>>
  readonly clock: Clock
  readonly log: Log
  readonly onChange: (texts: Readonly<Record<Name, string>>) => void
}

/**
 * Authorities in PEM from files, by name. What cannot be read later leaves what was there before.
 * @throws InputError naming flag and path where a file is missing or has no certificate
 */
export async function followAuthorities<Name extends string>(
  options: FollowOptions<Name>,
): Promise<{ readonly texts: Readonly<Record<Name, string>> } & Disposable> {
  const { clock, log, onChange } = options
  let texts = await readAll(options.files)
  let isOver = false
  let cancel: Cancel = () => undefined
  const look = async () => {
    using _ = clock.hold()
    try {
      const found = await readAll(options.files)
      if (isOver || JSON.stringify(found) === JSON.stringify(texts)) return
      texts = found
      onChange(found)
      log.info({ files: pathsOf(options.files) }, 'authorities were read again')
    } catch (error) {
      log.warn({ files: pathsOf(options.files), why: messageOf(error) }, 'authorities cannot be read, the old ones stay')
    }
  }
  const lookLater = () => {
    if (!isOver) cancel = clock.schedule(lookAgainMs, () => void look().then(lookLater))
  }
  if (Object.keys(options.files).length > 0) lookLater()
  return {
    texts,
    [Symbol.dispose]() {
      isOver = true
      cancel()
    },
  }
}

async function readAll<Name extends string>(files: FollowOptions<Name>['files']): Promise<Readonly<Record<Name, string>>> {
  const texts: Partial<Record<Name, string>> = {}
  for (const name of Object.keys(files) as Name[]) texts[name] = await authorityIn(files[name])
  return texts as Record<Name, string>
}

/** The text of a PEM file. @throws InputError naming flag and path */
export async function authorityIn({ path, flag }: { readonly path: string; readonly flag: string }): Promise<string> {
  const refused = (found: string) =>
    new InputError([{ code: 'flag-value', where: `${flag} ${path}`, found, expected: 'a file of certificates in PEM form' }])
  let text: string
  try {
    text = await readFile(path, 'utf8')
    if (certificatesIn(text).length > 0) return text
  } catch (error) {
    throw refused(messageOf(error))
  }
  throw refused('no certificate')
}

function pathsOf(files: Readonly<Record<string, { readonly path: string }>>): string {
  return Object.values(files)
    .map(({ path }) => path)
    .join(', ')
}
