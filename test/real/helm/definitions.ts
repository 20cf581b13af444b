// From the first definitions to those of now on a real control plane, by each way that installs them.
import { strictEqual } from 'node:assert'
import { chartFiles } from '../../../src/deployment/packaging/chart.ts'
import { enabledCapabilities } from '../../../src/process/enabled-capabilities.ts'
import { oldDefinitionsText, type Send, upgradeOld } from '../../old-definitions.ts'
import { commandLine } from '../ballast/site.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { commandOutput } from '../run-command.ts'
import { helmChart } from './helm.ts'
import { kubectlOf } from './lifecycle.ts'

const enabled = ['deschedule', 'readiness']

async function onPlane(judge: (plane: ControlPlane, send: Send) => Promise<number>): Promise<number> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
  try {
    return await judge(plane, (verb, path, body) => plane.client.send(verb, path, body))
  } finally {
    await plane.stop()
  }
}

/** `helm upgrade` from a chart that had the first definitions, then the manifests over definitions that kubectl applied. */
export async function judgeOldDefinitions(): Promise<string> {
  const byHelm = await onPlane(async (plane, send) => {
    using first = await helmChart(
      new Map([
        ['Chart.yaml', 'apiVersion: v2\nname: ballast\nversion: 0.0.1\n'],
        ['templates/definitions.yaml', oldDefinitionsText],
      ]),
    )
    using chart = await helmChart(chartFiles(enabledCapabilities))
    const place = ['--kubeconfig', plane.kubeconfig, '-n', 'ballast-system']
    const settings = enabled.flatMap(name => ['--set', `capabilities.${name}.enabled=true`])
    return await upgradeOld(send, {
      install: async () => void (await first.want(['install', 'ballast', first.directory, '--create-namespace', ...place])),
      upgrade: async () => void (await chart.want(['upgrade', 'ballast', chart.directory, ...settings, ...place], 240_000)),
    })
  })
  const byManifests = await onPlane(async (plane, send) => {
    const kubectl = await kubectlOf(plane)
    const apply = async (text: string) => void (await kubectl(['apply', '--server-side', '-f', '-'], text))
    const words = ['manifests', '--only', 'crds', '--enable', enabled.join(',')]
    return await upgradeOld(send, {
      install: () => apply(oldDefinitionsText),
      upgrade: async () => await apply(await commandOutput(process.execPath, [commandLine, ...words])),
    })
  })
  strictEqual(byHelm, byManifests)
  return `${byHelm} objects with every field, by helm upgrade and by kubectl apply of the manifests`
}
