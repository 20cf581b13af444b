// Records what real kubectl programs ask of the twin: `node test/real/kubectl/record.ts [SCENARIO]`. One file per version and scenario below
// test/fixtures/kubectl/.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Exchange, exchangeOf, type Trace, traceTwinOptions } from '#test/kubectl-trace.ts'
import { startTwin } from '#twin/twin.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { runCommand } from '../run-command.ts'
import { type Scenario, scenarios } from './scenarios.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'kubectl')
const commandLimitMs = 60_000

/** Runs a scenario on a twin of its own. */
async function record(program: string, version: string, scenario: Scenario): Promise<Trace> {
  const exchanges: Exchange[] = []
  await using twin = await startTwin({
    ...traceTwinOptions(),
    listen: { port: 0 },
    onExchange: (request, answer) => exchanges.push(exchangeOf(request, answer)),
  })
  const startRevision = twin.access.revision
  const directory = mkdtempSync(join(tmpdir(), 'kubectl-trace-'))
  try {
    const kubeconfig = join(directory, 'kubeconfig')
    const manifest = join(directory, 'manifest.yaml')
    writeFileSync(kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
    writeFileSync(manifest, scenario.manifest ?? '')
    const exitCodes: number[] = []
    for (const command of scenario.commands) {
      const args = command.map(word => (word === 'FILE' ? manifest : word))
      const env = { KUBECONFIG: kubeconfig, HOME: directory, KUBECTL_EXTERNAL_DIFF: 'true' }
      const { code } = await runCommand(program, [`--cache-dir=${join(directory, 'cache')}`, ...args], {
        env,
        timeoutMs: scenario.stopAfterMs ?? commandLimitMs,
      })
      exitCodes.push(code)
    }
    return { kubectl: version, startRevision, commands: scenario.commands, exitCodes, exchanges }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function versionOf(program: string): Promise<string> {
  const { stdout } = await runCommand(program, ['version', '--client', '-o', 'json'])
  return /"gitVersion": "(v[\d.]+)/.exec(stdout)?.[1] ?? 'unknown'
}

/** One exchange a line, so that a new version of kubectl reads as a diff. */
function traceText(trace: Trace): string {
  const { exchanges, ...head } = trace
  const lines = exchanges.map(exchange => `    ${JSON.stringify(exchange)}`)
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "exchanges": [\n${lines.join(',\n')}\n  ]\n}\n`
}

const only = process.argv[2]
for (const which of ['1.32', 'newest'] as const) {
  const program = await kubectlPath(which)
  const version = await versionOf(program)
  const directory = join(fixtures, version.replace(/^v(\d+\.\d+).*$/, '$1'))
  if (only === undefined) rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  for (const scenario of scenarios.filter(({ name }) => only === undefined || name === only)) {
    const trace = await record(program, version, scenario)
    writeFileSync(join(directory, `${scenario.name}.json`), traceText(trace))
    console.log(`${version} ${scenario.name}: ${trace.exchanges.length} requests, exit ${trace.exitCodes.join(' ')}`)
  }
}
