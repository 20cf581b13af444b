// `ballast livenessprobe`: upstream's livenessprobe with its flags and ports: says over HTTP whether a CSI driver answers at its socket.

import { Registry } from 'prom-client'
import type { DefineCommand, Surroundings } from '#cli/command-line.ts'
import { systemClock } from '#kube/clock.ts'
import { collectProcessMetrics } from '#kube/process-metrics.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { livenessSettings } from '../flags/node-flags.ts'
import { callTimes } from '../jobs/driver/call-metrics.ts'
import { DriverLink } from '../jobs/driver/driver-link.ts'
import { Liveness } from '../jobs/liveness.ts'
import { endOf, metricsAt, serveAt, sidecarLog, untilEnded, versionSaid } from './sidecar-program.ts'

const program = 'livenessprobe'

export const defineLivenessprobe: DefineCommand = (parent, surroundings, about) => {
  parent
    .command(program)
    .description(about)
    .argument('[words...]', "upstream's flags")
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText(
      'after',
      [
        "\nUpstream's flags, with one dash or two, and their defaults:",
        '  -csi-address /run/csi/socket, -probe-timeout 3s, -health-port 9808, -http-endpoint ADDRESS, -metrics-address ADDRESS, -metrics-path /metrics,',
        '  -version, -v 0, -logging-format text; other flags of logs are taken without effect and told',
        'GET /healthz: 200 and ok where the driver is ready, else 500 and why. A driver that is not there is no reason to end.',
        'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
        'Example: ballast livenessprobe -csi-address /csi/csi.sock -http-endpoint localhost:29652',
      ].join('\n'),
    )
    .action((words: readonly string[]) => run(words, surroundings))
}

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const settings = livenessSettings(words)
  const { address, endpoint, metricsAddress, hasMetrics, metricsPath, limitMs } = settings
  if (settings.version) {
    surroundings.terminal.write(versionSaid(program))
    return
  }
  preferSmallHeap()
  const log = sidecarLog(program, settings, surroundings)
  log.info({ version: programVersion, address, endpoint }, `${program} by Ballast`)
  const metrics = new Registry()
  collectProcessMetrics(metrics)
  await untilEnded(surroundings, log, async until => {
    using link = new DriverLink({
      address,
      clock: systemClock,
      random: systemRandom,
      log,
      askLimitMs: limitMs,
      times: callTimes(metrics),
    })
    const liveness = new Liveness(link, limitMs)
    // By its name calls are counted; who only asks for health needs not wait for it.
    link.ready(until).catch((error: unknown) => {
      if (!until.aborted) throw error
    })
    const scraped = metricsAt(metricsPath, metrics)
    const also = { ...(hasMetrics ? scraped : {}), '/healthz': () => liveness.answer(until) }
    await using _served = await serveAt(endpoint, '--http-endpoint', { metrics, log, also })
    await using _scraped = await serveAt(metricsAddress, '--metrics-address', { metrics, log, also: scraped })
    await endOf(until)
  })
}
