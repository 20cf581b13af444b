// `ballast livenessprobe`: upstream's livenessprobe with its flags and ports: says over HTTP whether a CSI driver answers at its socket.

import { Registry } from 'prom-client'
import type { Surroundings } from '#cli/command-line.ts'
import { defineDropIn, untilAborted } from '#cli/drop-ins/drop-in.ts'
import { collectProcessMetrics } from '#kube/process-metrics.ts'
import { livenessSettings } from '../flags/node-flags.ts'
import { Liveness } from '../jobs/liveness.ts'
import { metricsAt, runBesideDriver, serveAt } from './sidecar-program.ts'

const program = 'livenessprobe'

export const defineLivenessprobe = defineDropIn({
  name: program,
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -csi-address /run/csi/socket, -probe-timeout 3s, -health-port 9808, -http-endpoint ADDRESS, -metrics-address ADDRESS, -metrics-path /metrics,',
    '  -version, -v 0, -logging-format text; other flags of logs are taken without effect and told',
    'GET /healthz: 200 and ok where the driver is ready, else 500 and why. A driver that is not there is no reason to end.',
    'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
    'Example: ballast livenessprobe -csi-address /csi/csi.sock -http-endpoint localhost:29652',
  ],
  run,
})

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const settings = livenessSettings(words)
  const { endpoint, metricsAddress, hasMetrics, metricsPath, limitMs } = settings
  const metrics = new Registry()
  collectProcessMetrics(metrics)
  await runBesideDriver(
    {
      program,
      settings,
      metrics,
      async work(link, log, until) {
        const liveness = new Liveness(link, limitMs)
        // By its name calls are counted; who only asks for health needs not wait for it.
        link.ready(until).catch((error: unknown) => {
          if (!until.aborted) throw error
        })
        const scraped = metricsAt(metricsPath, metrics)
        const also = { ...(hasMetrics ? scraped : {}), '/healthz': () => liveness.answer(until) }
        await using _served = await serveAt(endpoint, '--http-endpoint', { metrics, log, also })
        await using _scraped = await serveAt(metricsAddress, '--metrics-address', { metrics, log, also: scraped })
        await untilAborted(until)
      },
    },
    surroundings,
  )
}
