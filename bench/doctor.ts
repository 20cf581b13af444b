// `ballast doctor` on a big cluster: how long it takes, what it holds, and what it asks of the API server. A twin in a process of its own
// answers; `--workloads 5000` is the cluster of 150,000 pods that the budget is about, and takes minutes to load.
import { mkdtempSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import type { Transport } from '#kube/client/transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { installBallast } from '../src/deployment/install-ballast.ts'
import { examineCluster } from '../src/doctor/checks.ts'
import { liveFacts } from '../src/doctor/live-facts.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { ballastNamespace } from '../src/process/own-names.ts'
import { biggestCluster, writeDump } from './big-dump.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { startTwinProcess } from './twin-process.ts'

const budgets = { seconds: 15, requests: 60 } as const
const rounds = 3

interface Counted {
  requests: number
  /** Further pages of lists, beyond the first. */
  pages: number
}

function counting(inner: Transport, counted: Counted): Transport {
  const count = (query: Readonly<Record<string, unknown>> | undefined) => {
    if (query?.['continue'] === undefined) counted.requests++
    else counted.pages++
  }
  return {
    request(request) {
      count(request.query)
      return inner.request(request)
    },
    stream(request) {
      count(request.query)
      return inner.stream(request)
    },
    close: () => inner.close(),
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { workloads: { type: 'string', default: '500' } } })
  const size = { ...biggestCluster, workloads: Number(values.workloads) }
  const directory = mkdtempSync(join(tmpdir(), 'ballast-bench-doctor-'))
  await using resources = new AsyncDisposableStack()
  resources.defer(() => rmSync(directory, { recursive: true, force: true }))
  const dump = join(directory, 'cluster.json')
  writeDump(dump, size)
  const twin = await startTwinProcess(['--cluster', dump], { startMs: 600_000 })
  resources.defer(() => twin.stop())
  const config = await loadConfig({ environment: {}, homeDirectory: homedir(), kubeconfig: twin.kubeconfig, context: undefined })
  const counted: Counted = { requests: 0, pages: 0 }
  const around = { clock: systemClock, random: systemRandom, log: silentLog }
  const transport = counting(openHttpTransport(config, { ...around, environment: {}, isTerminal: false }), counted)
  resources.defer(() => transport.close())
  const api = openApi(transport, { ...around, userAgent: 'ballast-bench' })
  const { signal } = new AbortController()
  await installBallast(api, { capabilities: enabledCapabilities, namespace: ballastNamespace, signal })
  const took: number[] = []
  for (let round = 0; round < rounds; round++) {
    counted.requests = 0
    counted.pages = 0
    const startedMs = systemClock.elapsed()
    const nowMs = systemClock.now()
    const facts = await liveFacts({ api, capabilities: enabledCapabilities, nowMs, helmSecrets: true, signal })
    const findings = examineCluster(facts)
    took.push((systemClock.elapsed() - startedMs) / 1_000)
    if (facts.unread.length > 0) throw new Error(`not read: ${JSON.stringify(facts.unread)}`)
    console.log(`${findings.length} findings in ${facts.objects.length} objects, ${took.at(-1)?.toFixed(2)} s`)
  }
  const shown = `${size.nodes} nodes, ${size.workloads * size.replicas} pods`
  const rows: readonly BudgetRow[] = [
    {
      what: `doctor, ${shown}, median of ${rounds}`,
      value: took.toSorted((a, b) => a - b)[1] ?? Infinity,
      unit: 's',
      budget: { atMost: budgets.seconds },
    },
    { what: 'requests beside further pages', value: counted.requests, unit: '', budget: { atMost: budgets.requests } },
  ]
  console.log(budgetTable(rows))
  console.log(`${counted.pages} further pages; ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB resident at the end`)
}

await main()
