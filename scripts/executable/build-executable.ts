// A single executable: Node for a platform with the whole bundle inside, as Node's own support of it has them (`node:sea`).
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { buildFacts } from '../image/build-facts.ts'
import { type Bundle, writeBundle } from '../image/bundle.ts'
import { licenceFiles } from '../image/licences.ts'
import { LockFile } from '../image/lock-file.ts'
import { nodeBinary } from '../image/node-binary.ts'
import type { Platform } from '../image/platforms.ts'
import type { Commit } from '../image/revision.ts'

export interface BuildOptions {
  readonly root: string
  /** Where packages of others are kept between builds. */
  readonly cache: string
  readonly commit: Commit
  readonly program: Bundle
  readonly platforms: readonly Platform[]
  readonly directory: string
}

const mainName = 'executable-main.cjs'

/**
 * Writes `ballast-linux-ARCHITECTURE` for each platform. @returns their paths
 * @throws Error where a part cannot be had, or this Node is not the one that is packed: what goes inside is in the form of one version
 */
export async function buildExecutables(options: BuildOptions): Promise<readonly string[]> {
  const { root, cache, directory, platforms } = options
  const lock = new LockFile(root)
  for (const { nodePackage } of platforms) {
    const { version } = lock.packageAt(nodePackage)
    if (process.version !== `v${version}`)
      throw new Error(`this is Node ${process.version}, and ${nodePackage} is ${version}: start it with that one`)
  }
  const work = mkdtempSync(join(tmpdir(), 'ballast-executable-'))
  try {
    const blob = await blobOf(options, lock, work)
    mkdirSync(directory, { recursive: true })
    const paths = []
    for (const platform of platforms) {
      const path = join(directory, `ballast-linux-${platform.architecture}`)
      const { program } = await nodeBinary(platform, lock, cache)
      writeFileSync(path, program)
      putInside(root, path, blob)
      chmodSync(path, 0o755)
      paths.push(path)
    }
    return paths
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function blobOf({ root, commit, cache, platforms, program }: BuildOptions, lock: LockFile, work: string): Promise<string> {
  const [platform] = platforms
  if (platform === undefined) throw new Error('no platform to build for')
  const { licence } = await nodeBinary(platform, lock, cache)
  const files = new Map([
    ...program.files,
    [mainName, Buffer.from(await mainScript(root))] as const,
    buildFacts('executable', commit),
    ['LICENSE', readFileSync(join(root, 'LICENSE'))] as const,
    ['licences/node/LICENSE', licence] as const,
    ...licenceFiles(root, program.packages, lock),
  ])
  writeBundle({ files }, join(work, 'files'))
  const [configuration, output] = ['sea.json', 'sea.blob']
  writeFileSync(
    join(work, configuration),
    JSON.stringify({
      // Its path goes inside: from the working directory it is the same each time.
      main: join('files', mainName),
      output,
      disableExperimentalSEAWarning: true,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      // A child of our own is given V8's flags, which NODE_OPTIONS does not take.
      execArgvExtension: 'cli',
      // In one order: the same files are the same bytes.
      assets: Object.fromEntries([...files.keys()].toSorted().map(name => [name, join('files', name)])),
    }),
  )
  const { status, stderr } = spawnSync(process.execPath, ['--experimental-sea-config', configuration], {
    cwd: work,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`Node did not make what goes inside: ${stderr.trim()}`)
  return join(work, output)
}

/** By postject, as Node's manual says: a note of the ELF file, and a mark in Node that it is there. */
function putInside(root: string, path: string, blob: string): void {
  const program = join(root, 'node_modules', 'postject', 'dist', 'cli.js')
  const words = [program, path, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2']
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${path}: postject did not put the program inside: ${stderr.trim()}`)
}

/** As CommonJS: the form of an executable's main script. */
async function mainScript(root: string): Promise<string> {
  const build = await rolldown({
    cwd: root,
    input: join(import.meta.dirname, 'executable-main.ts'),
    platform: 'node',
    tsconfig: false,
  })
  try {
    const { output } = await build.generate({ format: 'cjs' })
    return output[0].code
  } finally {
    await build.close()
  }
}
