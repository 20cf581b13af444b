// Hostile dumps into every command that reads files, and what must hold: it ends by itself, with 0, with an answer ("not so", infeasible) or
// with words that name the file; never with a stack trace.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import pc from 'picocolors'
import { parseAllDocuments } from 'yaml'
import { commands } from '#cli/commands.ts'
import { isOutside } from '#kube/outside-error.ts'
import { InputError } from '#kube/problem.ts'
import { type Random, seededRandom } from '#kube/random.ts'
import { CommandRefused, embeddedEnding } from '#process/surroundings.ts'
import { freshCluster } from '../fresh-cluster.ts'
import { hostileDump } from './dumps.ts'
import { jsonOf, spoilt, treeOf, withoutOne } from './values.ts'

const scenario = `steps:
- drain: {node: node-1}
- powerOff: {node: node-2}
`

/** The commands, each with what it reads; FILE and FOLDER are the dump, SCENARIO the steps above. */
export const readingCommands: readonly (readonly string[])[] = [
  ['plan', '--cluster', 'FILE'],
  ['plan', '--cluster', 'FILE', '--emit-pdbs'],
  ['plan', '--cluster', 'FOLDER', '-o', 'json'],
  ['simulate', '--cluster', 'FILE', '--scenario', 'SCENARIO'],
  ['why', 'node/node-0', '--cluster', 'FILE'],
  ['why', 'pod/same', '--cluster', 'FILE', '-o', 'json'],
  ['why', 'deployment/app-0', '--cluster', 'FOLDER'],
  ['doctor', '--cluster', 'FILE'],
  ['doctor', '--repo', 'FOLDER', '-o', 'json'],
  ['permits', '--cluster', 'FILE'],
  ['isolate', 'node-1', '--cluster', 'FILE'],
  ['twin', '--once', '--cluster', 'FILE'],
  ['up', '--once', '--cluster', 'FILE', '-o', 'json'],
]

/** The fresh cluster of `seed`, some of its objects spoilt, and hostile ones beside it. */
function clusterText(seed: number, random: Random, count: number): string {
  const own = parseAllDocuments(freshCluster(seed)).map(document => treeOf(document.toJS()))
  const items = own.map(tree => {
    const chance = random()
    return jsonOf(chance < 0.9 ? tree : chance < 0.95 ? spoilt(tree, random, 1) : withoutOne(tree, random))
  })
  const hostile = hostileDump(random, count).text
  const inner = hostile.slice(hostile.indexOf('[') + 1, hostile.lastIndexOf(']'))
  return `{"apiVersion":"v1","kind":"List","items":[${[...items, inner].join(',')}]}`
}

/** Runs each of `chosen` on the dump of `seed`; what did not hold is said, a line each. */
export async function dumpThroughCommands(
  seed: number,
  count: number,
  chosen: readonly (readonly string[])[] = readingCommands,
): Promise<readonly string[]> {
  const random = seededRandom(seed)
  const folder = mkdtempSync(join(tmpdir(), 'ballast-dumps-'))
  const [file, steps] = [join(folder, 'dump.json'), `${folder}-steps.yaml`]
  writeFileSync(file, clusterText(seed, random, count))
  writeFileSync(steps, scenario)
  const places: Readonly<Record<string, string>> = { FILE: file, FOLDER: folder, SCENARIO: steps }
  try {
    const findings: string[] = []
    for (const words of chosen)
      findings.push(
        ...(await run(
          words.map(word => places[word] ?? word),
          folder,
        )),
      )
    return findings
  } finally {
    rmSync(folder, { recursive: true, force: true })
    rmSync(steps, { force: true })
  }
}

/** What a command says of a dump of `objects`; FILE among its words is the dump. */
export async function dumpReport(objects: readonly unknown[], words: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-dumps-'))
  const file = join(folder, 'dump.json')
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
  try {
    const { said, error } = await ran(words.map(word => (word === 'FILE' ? file : word)))
    if (error !== undefined) throw error
    return said.join('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** As the program's own main does it, in this process. */
async function ran(words: readonly string[]): Promise<{ readonly said: readonly string[]; readonly error: unknown }> {
  const said: string[] = []
  const program = new Command('ballast').exitOverride().configureOutput({ writeErr: text => void said.push(text) })
  const listed = commands.get(words[0] ?? '')
  const define = await listed?.load()
  if (listed === undefined || define === undefined) throw new Error(`there is no command ${words[0]}`)
  const stop = new AbortController()
  const note = (text: string) => void said.push(text)
  const terminal = { write: note, say: note, isInteractive: false, colour: pc.createColors(false) }
  const surroundings = { terminal, environment: {}, signal: stop.signal, ending: embeddedEnding, end: () => undefined }
  define(program, surroundings, listed.about)
  const error: unknown = await program.parseAsync(['node', 'ballast', ...words]).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return { said, error }
}

/** What did not hold of a command that must end with an answer or words. */
async function run(words: readonly string[], folder: string): Promise<readonly string[]> {
  const { said, error } = await ran(words)
  const shown = words.slice(0, 3).join(' ')
  const findings: string[] = []
  if (error !== undefined) {
    const isSaid = error instanceof InputError || error instanceof CommandRefused || isOutside(error)
    if (error instanceof CommanderError || error instanceof InvalidArgumentError)
      findings.push(`${shown}: the test calls it wrongly: ${error.message}`)
    else if (!isSaid) findings.push(`${shown}: ${error instanceof Error ? error.stack : String(error)}`)
    else if (error instanceof InputError && !error.message.includes(folder))
      findings.push(`${shown}: does not name the file: ${error.message.slice(0, 500)}`)
  }
  const trace = /^.*\n? {4}at .*$/m.exec(said.join('\n'))
  if (trace !== null) findings.push(`${shown}: prints a stack: ${trace[0]}`)
  const fault = said.find(text => /\b(TypeError|RangeError|Cannot read propert|is not iterable|is not a function)\b/.test(text))
  if (fault !== undefined) findings.push(`${shown}: prints a fault: ${fault.slice(0, 500)}`)
  return findings
}
