// The long checks that need Node and npm alone: `npm run test:deep -- [--ci] [--minutes N] [--failed FILE] [file …]`.
//
// Without flags: all of them, every kill and step. `--ci` has what the change can reach and a quarter by turn, of matrices one share, and
// names what it leaves. After `--minutes` nothing new is begun; what was left then is named too. `--failed` names the files that failed.
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { EndedFile } from '../cpu/reporter.ts'
import { changedFiles, turnOf } from '../reach/change.ts'
import { type Choice, choose, type Row, toldOf, turns } from '../reach/choose.ts'
import { ReachGraph } from '../reach/graph.ts'
import { Passes } from '../reach/passes.ts'
import { deepFiles } from './files.ts'

const root = join(import.meta.dirname, '..', '..')
/** A run of CI has one of so many parts of every matrix of kills, the next with each commit. */
const shares = 16
/** Files that a run of CI has no time for: they are named as open. */
const wholeRunsOnly = ['test/crash/homelab-day.deep.test.ts']
/** Files that Vitest is given at once: between two lots the time is looked at. */
const lot = 9

interface Outcome {
  readonly passed: readonly string[]
  readonly failed: readonly string[]
}

function vitest(files: readonly string[], environment: Readonly<Record<string, string>>): Outcome {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-deep-'))
  try {
    const ended = join(folder, 'ended')
    writeFileSync(ended, '')
    const program = [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--config', 'test/deep/vitest.config.ts']
    const { status } = spawnSync(process.execPath, [...program, ...files], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ...environment, BALLAST_ENDED_FILES: ended },
    })
    const rows = readFileSync(ended, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map((line): EndedFile => JSON.parse(line))
    const passed = rows.filter(({ hasPassed }) => hasPassed).map(({ file }) => file)
    // A file of which nothing was heard has not passed, and a run that failed without a failed file failed as a whole.
    const failed = files.filter(file => !passed.includes(file))
    return {
      passed: status === 0 || failed.length > 0 ? passed : [],
      failed: status !== 0 && failed.length === 0 ? files : failed,
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function main(): number {
  const options = { ci: { type: 'boolean' }, minutes: { type: 'string' }, failed: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes)
  if (!(minutes > 0)) throw new Error(`--minutes: found ${values.minutes}, expected a number above 0`)
  const began = performance.now()
  const all = globSync([...deepFiles], { cwd: root })
    .map(file => file.replaceAll('\\', '/'))
    .toSorted()
  const wanted = positionals.length === 0 ? all : all.filter(file => positionals.some(name => file.includes(name)))
  if (wanted.length === 0) throw new Error(`no deep test is called ${positionals.join(' or ')}`)
  const graph = new ReachGraph(root)
  const rows = wanted.map((name): Row => {
    const files = graph.filesOf([name, 'test/deep/vitest.config.ts'])
    return { name, files, hash: graph.hashOf(files) }
  })
  const passes = new Passes('deep')
  const isShare = values.ci === true
  const turn = turnOf(root, turns)
  const choices = isShare
    ? choose(rows, { passes: passes.byName, changed: changedFiles(root) ?? new Set(all), turn })
    : rows.map(row => ({ row, standing: 'reached' as const }))
  if (isShare) console.log(`test:deep: of ${rows.length} files ${toldOf(choices)}; turn ${turn} of ${turns}`)
  const isTooLong = ({ row }: Choice<Row>) => isShare && wholeRunsOnly.includes(row.name)
  const isWanted = (choice: Choice<Row>) => choice.standing === 'reached' || choice.standing === 'turn'
  const now = choices.filter(choice => isWanted(choice) && !isTooLong(choice)).map(({ row }) => row)
  const open = choices
    .filter(choice => choice.standing === 'open' || (isWanted(choice) && isTooLong(choice)))
    .map(({ row }) => row.name)
  const environment: Record<string, string> = isShare
    ? { BALLAST_KILLS: `${turnOf(root, shares)}/${shares}`, BALLAST_STEPS: '200000' }
    : {}
  const passed: string[] = []
  const failed: string[] = []
  for (let at = 0; at < now.length; at += lot) {
    const part = now.slice(at, at + lot)
    if (performance.now() - began > minutes * 60_000) {
      open.push(...now.slice(at).map(({ name }) => name))
      break
    }
    const outcome = vitest(
      part.map(({ name }) => name),
      environment,
    )
    passed.push(...outcome.passed)
    failed.push(...outcome.failed)
    for (const { name, hash } of part) {
      const hasPassed = outcome.passed.includes(name)
      // A share of a matrix is not the matrix.
      if (!hasPassed || !isShare || !isMatrix(name)) passes.note(name, hash, hasPassed)
    }
  }
  for (const name of open) console.log(`open: ${name}`)
  for (const name of failed) console.log(`failed: ${name}`)
  if (isShare) console.log(`test:deep: of matrices of kills the share ${environment['BALLAST_KILLS']}`)
  console.log(`test:deep: ${passed.length} passed, ${failed.length} failed, ${open.length} open`)
  if (values.failed !== undefined) writeFileSync(values.failed, failed.map(name => `${name}\n`).join(''))
  return failed.length === 0 ? 0 : 1
}

const isMatrix = (file: string): boolean =>
  /\b(describeKills|shareOf|killAtEach|BALLAST_STEPS)\b/.test(readFileSync(join(root, file), 'utf8'))

process.exitCode = main()
