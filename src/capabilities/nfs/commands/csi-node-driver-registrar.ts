// `ballast csi-node-driver-registrar`: upstream's registrar with its flags and port: tells the kubelet of a node of any CSI driver.

import { existsSync } from 'node:fs'
import { Registry } from 'prom-client'
import type { Surroundings } from '#cli/command-line.ts'
import { defineDropIn, untilAborted } from '#cli/drop-ins/drop-in.ts'
import { systemClock } from '#kube/clock.ts'
import { systemRandom } from '#kube/random.ts'
import { registrarSettings } from '../flags/node-flags.ts'
import { DriverRegistration, registrationHealth } from '../registration/driver-registration.ts'
import { runBesideDriver, serveAt } from './sidecar-program.ts'

const program = 'csi-node-driver-registrar'

export const defineCsiNodeDriverRegistrar = defineDropIn({
  name: program,
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -csi-address /run/csi/socket, -kubelet-registration-path PATH (required), -plugin-registration-path /registration, -timeout 1s,',
    '  -http-endpoint ADDRESS, -health-port PORT, -mode kubelet-registration-probe (ends at once), -version, -v 0, -logging-format text;',
    '  other flags of logs are taken without effect and told',
    'Where a kubelet refuses the driver, or the socket is gone, it registers again; upstream ends, and is started again.',
    'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
    'Example: ballast csi-node-driver-registrar -csi-address /csi/csi.sock -kubelet-registration-path /var/lib/kubelet/plugins/csi-nfsplugin/csi.sock',
  ],
  run,
})

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const settings = registrarSettings(words)
  const { kubeletPath, registry, limitMs, endpoint } = settings
  if (settings.isProbe && !settings.version) return
  const metrics = new Registry()
  await runBesideDriver(
    {
      program,
      settings,
      metrics,
      async work(link, log, until) {
        let path: string | undefined
        let driver = ''
        const healthz = async () => {
          if (path === undefined) return { status: 500, body: link.waiting ?? 'the driver has not been registered yet' }
          if (!existsSync(path)) return { status: 404, body: 'registration socket does not exist' }
          return await registrationHealth({ path, driver, clock: systemClock, limitMs }, until)
        }
        await using _served = await serveAt(endpoint, '--http-endpoint', { metrics, log, also: { '/healthz': healthz } })
        driver = (await link.ready(until)).name
        const around = { clock: systemClock, random: systemRandom, log }
        await using registration = new DriverRegistration({ ...around, driver, endpoint: kubeletPath, registry })
        path = registration.path
        await untilAborted(until)
      },
    },
    surroundings,
  )
}
