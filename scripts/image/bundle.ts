// The program as JavaScript that needs no repository: one entry a process, the files that it reads at run time, and the page.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, extname, join, relative } from 'node:path'
import { type OutputChunk, rolldown } from 'rolldown'
import { mark, placedAssets, plainBuiltIns, plainOrder, withoutUnused } from './bundle-plugins.ts'
import { builtPage } from './page.ts'

export interface Bundle {
  /** What each file holds, by its name below the bundle's directory, sorted. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Names of the packages whose code is in it, as the lock file's paths below node_modules, sorted. */
  readonly packages: readonly string[]
}

const entries = {
  ballast: 'src/cli/main.ts',
  'solver-process': 'src/planning/solving/solver-process.ts',
  'front-process': 'src/kube/server/front/front-process.ts',
  'file-work-process': 'src/capabilities/nfs/files/file-work-process.ts',
  'program-starter-process': 'src/capabilities/nfs/mounts/program-starter-process.ts',
  'nfs-node-process': 'src/capabilities/nfs/commands/nfs-node-process.ts',
  'mirror-process': 'src/capabilities/mirror/commands/mirror-process.ts',
}

/** Where the program looks for the page: `src/cli/page/page.ts`. */
const pageFolder = 'dist/web'

/**
 * Bundles the program of the repository at `root`, and its page.
 * @throws Error where a file that the program reads by its place in the source is not there, or a module cannot be resolved
 */
export async function bundle(root: string): Promise<Bundle> {
  const page = await builtPage(root)
  const assets = new Map<string, string>()
  const build = await rolldown({
    cwd: root,
    input: entries,
    platform: 'node',
    tsconfig: false,
    plugins: [placedAssets(root, assets), plainBuiltIns(), withoutUnused(), plainOrder()],
    treeshake: { propertyReadSideEffects: false },
    // A machine that is busy makes plugins slow, which is no fault of theirs.
    checks: { bundlerTimings: false },
    onLog(level, log) {
      if (level === 'warn') throw new Error(`bundle: ${log.message}`)
    },
  })
  try {
    const { output } = await build.generate({
      format: 'esm',
      entryFileNames: '[name].mjs',
      // All in one folder: files are found beside the chunk that asks for them.
      chunkFileNames: ({ name, moduleIds }) => {
        const real = name.startsWith('_') ? moduleIds.find(id => !id.startsWith(mark)) : undefined
        return `${real === undefined ? name : basename(real, extname(real))}.mjs`
      },
      // Names and lines stay, so that a stack in a log can be read without the source.
      minify: { compress: true, mangle: false, codegen: { removeWhitespace: false } },
      comments: false,
    })
    const chunks = output.filter(file => file.type === 'chunk')
    const files = [
      ...chunks.map(chunk => [chunk.fileName, Buffer.from(`${shebang(chunk)}${inAscii(chunk.code)}`)] as const),
      ...[...assets].flatMap(([name, path]) =>
        below(path).map(file => [join(name, relative(path, file)), readFileSync(file)] as const),
      ),
      ...[...page.files].map(([name, content]) => [join(pageFolder, name), content] as const),
    ]
    const packages = packagesOf(
      chunks.flatMap(chunk => Object.keys(chunk.modules)),
      root,
    )
    return {
      files: new Map(files.toSorted(([a], [b]) => (a < b ? -1 : 1))),
      packages: [...new Set([...packages, ...page.packages])].toSorted(),
    }
  } finally {
    await build.close()
  }
}

/** Lets the kernel start the program under each of its names: where there is no shell a link is enough. */
function shebang(chunk: OutputChunk): string {
  return chunk.isEntry && chunk.name === 'ballast' ? '#!/bin/node\n' : ''
}

/** V8 keeps a source with a single character beyond Latin-1 as two bytes a character for as long as the process lives. */
function inAscii(code: string): string {
  return code.replace(/[^\0-\x7f]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Writes the bundle's files below `directory`. */
export function writeBundle({ files }: Pick<Bundle, 'files'>, directory: string): void {
  for (const [name, content] of files) {
    const path = join(directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
}

function below(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
}

/** Paths below node_modules, a package nested in another's folder with both names, as the lock file has them. */
function packagesOf(modules: readonly string[], root: string): readonly string[] {
  const names = modules.flatMap(id => {
    const path = relative(root, id.replace(/^\0/, '').replace(/\?.*$/, ''))
    const found = /^node_modules\/((?:@[^/]+\/)?[^/]+(?:\/node_modules\/(?:@[^/]+\/)?[^/]+)*)\//.exec(path)
    return found?.[1] === undefined ? [] : [found[1]]
  })
  return [...new Set(names)].toSorted()
}
