// Ballast's own image, built once for all checks of a run.
import { strictEqual } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PartUnavailable } from '../cache.ts'
import { atEnd } from '../endings.ts'
import { runCommand } from '../run-command.ts'

const root = join(import.meta.dirname, '..', '..', '..')
/** What it is called in the archive. */
export const reference = 'ballast.example/ballast:check'

/** Builds into a directory of its own. Throws {@link PartUnavailable} where the parts of others cannot be had. */
export async function buildOwnImage(
  directory: string,
  where: { readonly cwd?: string; readonly env?: Record<string, string>; readonly umask?: string } = {},
): Promise<string> {
  const program = join(root, 'scripts', 'image', 'main.ts')
  const args = [program, '--out', directory, '--reference', reference]
  // A shell only to set the umask; its arguments are data.
  const result =
    where.umask === undefined
      ? await runCommand(process.execPath, args, where)
      : await runCommand('sh', ['-c', 'umask "$0" && exec "$@"', where.umask, process.execPath, ...args], where)
  if (/cannot be had|could not fetch|knows no mirror/.test(result.stderr)) throw new PartUnavailable(result.stderr.trim())
  strictEqual(result.code, 0, result.stderr)
  return result.stdout
}

let shared: Promise<string> | undefined

/** The directory of one build that the checks share. Throws {@link PartUnavailable} */
export function ownImage(): Promise<string> {
  shared ??= (async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ballast-image-'))
    atEnd(() => rmSync(directory, { recursive: true, force: true }))
    await buildOwnImage(directory)
    return directory
  })()
  return shared
}
