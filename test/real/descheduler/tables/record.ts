// Upstream's own tests of its plugins, as facts: what each row gives to a plugin and what the plugin does. `node …/tables/record.ts` runs
// them in a copy of upstream's module and writes the fixture.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { tablesFixture } from '../../../../src/capabilities/deschedule/compat/testdata/upstream-tables.ts'
import { goEnvironment } from '../../go-build.ts'
import { commandOutput } from '../../run-command.ts'
import { upstreamSource, upstreamVersion } from '../../upstreams/build.ts'
import { instrumentedCopy } from './instrumented.ts'
import { type Fields, rowsOf } from './rows.ts'

interface Recording {
  readonly version: string
  readonly commands: readonly string[]
  readonly tables: Readonly<Record<string, readonly Fields[]>>
}

/** Upstream leaves some choices to chance: what it does is looked at so often. */
const runs = 60
const calls: readonly { readonly runs: number; readonly words: readonly string[] }[] = [
  { runs, words: ['test', '-vet=off', '-p=1', `-count=${runs}`, './pkg/framework/plugins/...'] },
  {
    runs: 1,
    words: [
      'test',
      '-vet=off',
      '-p=1',
      '-count=1',
      '-run=^Test(Decode|PodFits|NodeFit)',
      './pkg/descheduler',
      './pkg/descheduler/node',
    ],
  },
]

async function recording(): Promise<Recording> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-tables-'))
  try {
    const module = join(directory, 'module')
    instrumentedCopy(await upstreamSource('descheduler'), module)
    const tables: Record<string, readonly Fields[]> = {}
    for (const [at, call] of calls.entries()) {
      const lines = join(directory, String(at))
      mkdirSync(lines)
      await commandOutput('go', call.words, {
        cwd: module,
        env: { ...goEnvironment, GOFLAGS: '-mod=mod', RECORDED_TABLES: lines },
      })
      for (const file of readdirSync(lines).toSorted()) {
        const name = file.slice(0, -'.jsonl'.length)
        tables[name] = rowsOf(name, readFileSync(join(lines, file), 'utf8').trimEnd().split('\n'), call.runs)
      }
    }
    return { version: upstreamVersion('descheduler'), commands: calls.map(({ words }) => `go ${words.join(' ')}`), tables }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const recorded = await recording()
  mkdirSync(dirname(tablesFixture), { recursive: true })
  writeFileSync(tablesFixture, tablesText(recorded))
  for (const [name, rows] of Object.entries(recorded.tables)) console.log(`${name}: ${rows.length} rows`)
}

/** A row a line: what changed in a new recording can be seen. */
function tablesText({ tables, ...head }: Recording): string {
  const lists = Object.entries(tables).map(
    ([name, rows]) => `  ${JSON.stringify(name)}: [\n${rows.map(row => `    ${JSON.stringify(row)}`).join(',\n')}\n  ]`,
  )
  const headLines = Object.entries(head).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`)
  return `{\n${headLines.join('')}  "tables": {\n${lists.join(',\n')}\n  }\n}\n`
}
