// Records how other people's packages install on a real control plane: `node test/real/other-people/record.ts [package …]`; with `--rest`
// where their workloads come to rest in the twin.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '#kube/clock.ts'
import { otherPeopleTable, type RecordedPackage, type RecordedWay, recordedPackages } from '../../other-people.ts'
import { installed } from './installed.ts'
import { originText, type Package, packages, waysOf } from './packages.ts'
import { restOf } from './rest.ts'
import { type Sites, startSites } from './sites.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const fixtures = join(root, 'test', 'fixtures', 'other-people')

function fileOf(name: string): string {
  return join(fixtures, `${name}.json`)
}

function write(one: Package, seen: Partial<RecordedPackage>): void {
  const recorded = { package: originText(one.origin), ways: {}, ...recordedPackages().get(one.name), ...seen }
  writeFileSync(fileOf(one.name), `${JSON.stringify(recorded, undefined, 1)}\n`)
}

/** Puts the table of all records in the place of the one in docs/twin.md. */
function writeTable(): void {
  const file = join(root, 'docs', 'twin.md')
  const [before = '', after = ''] = readFileSync(file, 'utf8').split(tableHead)
  const rest = after.replace(/^\n(?:\|.*\n)*/, '')
  writeFileSync(file, `${before}${otherPeopleTable(recordedPackages())}\n${rest}`)
}

/** The first line of the table. */
const tableHead = otherPeopleTable(new Map()).split('\n')[0] ?? ''

async function record(one: Package, sites: Sites): Promise<void> {
  for (const way of waysOf(one)) {
    const began = systemClock.elapsed()
    const { steps, objects, open, differences } = await installed(one, way, sites)
    const differing = [...open.map(({ command }) => command), ...differences.map(({ object, field }) => `${object} ${field}`)]
    const seen: RecordedWay = { objects, steps, differing: [...new Set(differing)] }
    const ways = { ...recordedPackages().get(one.name)?.ways, [way]: seen }
    write(one, { server: sites.serverVersion, ways })
    console.log(
      `${one.name} ${way}: ${objects} objects, ${differing.length} differences, ${Math.round((systemClock.elapsed() - began) / 1000)} s`,
    )
    for (const { command, real, twin } of open)
      console.log(`  ${command}\n${unlike(real, twin, 'real')}\n${unlike(twin, real, 'twin')}`)
    for (const { object, field, real, twin } of differences)
      console.log(`  ${object} ${field}: real ${shown(real)}, twin ${shown(twin)}`)
  }
}

const shown = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 300)

/** Lines of one text that the other lacks. */
function unlike(text: string, other: string, side: string): string {
  const lines = new Set(other.split('\n'))
  const own = text.split('\n').filter(line => !lines.has(line))
  return own.map(line => `    ${side}: ${line}`).join('\n')
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { rest: { type: 'boolean', default: false } } })
  mkdirSync(fixtures, { recursive: true })
  const named = positionals.flatMap(name => packages.filter(one => one.name === name))
  const wanted = positionals.length === 0 ? packages : named
  process.once('exit', writeTable)
  if (values.rest) for (const one of wanted) write(one, { rest: await restOf(one) })
  else {
    await using sites = await startSites()
    for (const one of wanted) await record(one, sites)
    if (sites.bugs.length > 0) throw new Error(sites.bugs.join('\n'))
  }
}
