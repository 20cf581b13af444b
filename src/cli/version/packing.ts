// How this program came here: from sources, or packed by one of our scripts, which leave `build.json` beside it.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

const packed = z.object({ form: z.enum(['npm', 'image', 'executable']), revision: z.string() })

interface Packing {
  readonly form: 'source' | z.infer<typeof packed>['form']
  /** The commit, `-dirty` behind it where files of a clone are changed; absent where nobody knows. */
  readonly revision?: string
}

/** As people say it. */
export const formWords: Readonly<Record<Packing['form'], string>> = {
  source: 'sources',
  npm: 'npm package',
  image: 'container image',
  executable: 'single executable',
}

/** @throws Error where what was packed says of itself what no script of ours writes */
export function packing(): Packing {
  const text = ifThere(join(import.meta.dirname, 'build.json'))
  return text === undefined ? { form: 'source', ...revisionOf(import.meta.dirname) } : packed.parse(JSON.parse(text))
}

function ifThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

const gitLimitMs = 5_000

function revisionOf(directory: string): Pick<Packing, 'revision'> {
  const words = ['-C', directory, 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*']
  try {
    return {
      revision: execFileSync('git', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: gitLimitMs }).trim(),
    }
  } catch {
    // Without git, or in a folder that is no clone, nobody knows it: that is what is said.
    return {}
  }
}
