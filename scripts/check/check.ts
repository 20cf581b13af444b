// `npm run check`: format and lint, types, structure, every file loads in Node, generated files are fresh.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { enabledCapabilities } from '../../src/process/enabled-capabilities.ts'
import { staleFiles } from '../generate.ts'
import { namesOf, placeCounts } from './capability-places.ts'
import { parseSource, readTree } from './source-tree.ts'
import { structureFindings } from './structure.ts'

const root = dirname(dirname(import.meta.dirname))

function tool(name: string, ...args: readonly string[]): boolean {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', ...name.split('/')), ...args], {
    cwd: root,
    stdio: 'inherit',
  })
  return status === 0
}

/** The page is checked with the browser's types and without Node's, its tests with both. */
function types(): boolean {
  const page = 'src/dashboard/web'
  const outcomes = ['.', `${page}/tsconfig.json`, `${page}/tsconfig.tests.json`].map(project =>
    tool('typescript/bin/tsc', '-p', project),
  )
  return outcomes.every(holds => holds)
}

async function structure(): Promise<boolean> {
  const src = readTree(root, 'src')
  const outside = ['test', 'scripts', 'bench'].flatMap(folder => readTree(root, folder))
  // The launchers have no ending that says what they are.
  const launchers = ['ballast', 'set-up'].map(name =>
    parseSource(`bin/${name}.js`, readFileSync(join(root, 'bin', name), 'utf8')),
  )
  const places = placeCounts([...src, ...readTree(root, 'scripts'), ...launchers], await namesOf(enabledCapabilities))
  for (const line of places.lines) console.log(line)
  const findings = [...structureFindings(src, outside), ...places.findings]
  for (const { path, line, message } of findings) console.log(`${path}:${line}: ${message}`)
  console.log(`structure: ${src.length} files, ${findings.length} findings`)
  return findings.length === 0
}

/** Green tests do not prove that Node can run a file: Vitest transforms more than Node strips. Importing does no work, so all can be imported. */
function loadAll(): boolean {
  const files = readTree(root, 'src')
    .map(file => file.path)
    .filter(path => !/\.test(-d)?\.ts$/.test(path) && !path.endsWith('-process.ts') && path !== 'src/cli/main.ts')
    // Written for a browser, and in JSX, which Node does not strip.
    .filter(path => !path.startsWith('src/dashboard/web/'))
  const code = `for (const file of ${JSON.stringify(files)}) await import(new URL(file, ${JSON.stringify(`file://${root}/`)}))`
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', code],
    { cwd: root, encoding: 'utf8', timeout: 120_000 },
  )
  if (status !== 0) console.log(stderr)
  console.log(`load: ${files.length} files ${status === 0 ? 'load' : 'do not all load'}`)
  return status === 0
}

function generated(): boolean {
  const stale = staleFiles()
  for (const file of stale) console.log(`${file}: is not what its generator writes; run npm run generate`)
  return stale.length === 0
}

/** Runs every check, the later ones also when an earlier one failed. @returns whether all hold */
export async function check(): Promise<boolean> {
  const steps: readonly (readonly [string, () => boolean | Promise<boolean>])[] = [
    ['format and lint', () => tool('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.')],
    ['types', types],
    ['structure', structure],
    ['load', loadAll],
    ['generated files', generated],
  ]
  const failed: string[] = []
  for (const [name, step] of steps) {
    console.log(`check: ${name}`)
    if (!(await step())) failed.push(name)
  }
  console.log(failed.length === 0 ? 'check: all hold' : `check: failed: ${failed.join(', ')}`)
  return failed.length === 0
}
