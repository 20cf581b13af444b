// Upstream's own tests of its plugins, as facts: what each row gives to a plugin and what the plugin does. `node …/tables/record.ts` runs
// them in a copy of upstream's module and writes the fixture.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  type RecordedRow,
  type RecordedTables,
  tablesFixture,
} from '../../../../src/capabilities/deschedule/compat/testdata/upstream-tables.ts'
import { goEnvironment } from '../../go-build.ts'
import { commandOutput } from '../../run-command.ts'
import { upstreamSource, upstreamVersion } from '../../upstreams/build.ts'
import { instrumentedCopy } from './instrumented.ts'
import { rowsOf } from './rows.ts'

/** Upstream leaves some choices to chance: what it does is looked at so often. */
const runs = 60
const words = ['test', '-vet=off', '-p=1', `-count=${runs}`, './pkg/framework/plugins/...']

async function recordedTables(): Promise<RecordedTables> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-tables-'))
  try {
    const [module, lines] = [join(directory, 'module'), join(directory, 'lines')]
    mkdirSync(lines)
    instrumentedCopy(await upstreamSource('descheduler'), module)
    const env = { ...goEnvironment, GOFLAGS: '-mod=mod', RECORDED_TABLES: lines }
    await commandOutput('go', words, { cwd: module, env })
    const tables: Record<string, readonly RecordedRow[]> = {}
    for (const file of readdirSync(lines).toSorted()) {
      const name = file.slice(0, -'.jsonl'.length)
      tables[name] = rowsOf(name, readFileSync(join(lines, file), 'utf8').trimEnd().split('\n'), runs)
    }
    return { version: upstreamVersion('descheduler'), command: `go ${words.join(' ')}`, tables }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const recorded = await recordedTables()
  mkdirSync(dirname(tablesFixture), { recursive: true })
  writeFileSync(tablesFixture, tablesText(recorded))
  for (const [name, rows] of Object.entries(recorded.tables)) console.log(`${name}: ${rows.length} rows`)
}

/** A row a line: what changed in a new recording can be seen. */
function tablesText({ tables, ...head }: RecordedTables): string {
  const lists = Object.entries(tables).map(
    ([name, rows]) => `  ${JSON.stringify(name)}: [\n${rows.map(row => `    ${JSON.stringify(row)}`).join(',\n')}\n  ]`,
  )
  const headLines = Object.entries(head).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`)
  return `{\n${headLines.join('')}  "tables": {\n${lists.join(',\n')}\n  }\n}\n`
}
