// `ballast csi-node-driver-registrar`: upstream's registrar with its flags and port: tells the kubelet of a node of any CSI driver.

import { existsSync } from 'node:fs'
import { Registry } from 'prom-client'
import type { DefineCommand, Surroundings } from '#cli/command-line.ts'
import { systemClock } from '#kube/clock.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { registrarSettings } from '../flags/node-flags.ts'
import { DriverLink } from '../jobs/driver/driver-link.ts'
import { DriverRegistration, registrationHealth } from '../registration/driver-registration.ts'
import { endOf, serveAt, sidecarLog, untilEnded, versionSaid } from './sidecar-program.ts'

const program = 'csi-node-driver-registrar'

export const defineCsiNodeDriverRegistrar: DefineCommand = (parent, surroundings, about) => {
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
        '  -csi-address /run/csi/socket, -kubelet-registration-path PATH (required), -plugin-registration-path /registration, -timeout 1s,',
        '  -http-endpoint ADDRESS, -health-port PORT, -mode kubelet-registration-probe (ends at once), -version, -v 0, -logging-format text;',
        '  other flags of logs are taken without effect and told',
        'Where a kubelet refuses the driver, or the socket is gone, it registers again; upstream ends, and is started again.',
        'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
        'Example: ballast csi-node-driver-registrar -csi-address /csi/csi.sock -kubelet-registration-path /var/lib/kubelet/plugins/csi-nfsplugin/csi.sock',
      ].join('\n'),
    )
    .action((words: readonly string[]) => run(words, surroundings))
}

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const settings = registrarSettings(words)
  const { address, kubeletPath, registry, limitMs, endpoint } = settings
  if (settings.version) {
    surroundings.terminal.write(versionSaid(program))
    return
  }
  if (settings.isProbe) return
  preferSmallHeap()
  const log = sidecarLog(program, settings, surroundings)
  log.info({ version: programVersion, address, registry }, `${program} by Ballast`)
  const around = { clock: systemClock, random: systemRandom, log }
  await untilEnded(surroundings, log, async until => {
    using link = new DriverLink({ ...around, address, askLimitMs: limitMs })
    let path: string | undefined
    let driver = ''
    const healthz = async () => {
      if (path === undefined) return { status: 500, body: link.waiting ?? 'the driver has not been registered yet' }
      if (!existsSync(path)) return { status: 404, body: 'registration socket does not exist' }
      return await registrationHealth({ path, driver, clock: systemClock, limitMs }, until)
    }
    await using _served = await serveAt(endpoint, '--http-endpoint', {
      metrics: new Registry(),
      log,
      also: { '/healthz': healthz },
    })
    driver = (await link.ready(until)).name
    await using registration = new DriverRegistration({ ...around, driver, endpoint: kubeletPath, registry })
    path = registration.path
    await endOf(until)
  })
}
