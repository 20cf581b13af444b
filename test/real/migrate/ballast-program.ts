// A process of Ballast as `ballast migrate` installs it, in place of its pods.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { textAt } from '#kube/objects/object-fields.ts'
import { commandLine } from '../ballast/site.ts'
import type { ControlPlane } from '../control-plane/start.ts'
import type { PodProgram } from './pod-processes.ts'

/** That of the apiserver is asked through the API server, by its number. */
const probePorts = { apiserver: 8_081, controller: 18_080 }

/** `directory`: where what the pod would mount is put. */
export function ballastProgram(
  component: keyof typeof probePorts,
  { client }: ControlPlane,
  { directory, address }: { readonly directory: string; readonly address: string },
): PodProgram {
  const port = probePorts[component]
  return {
    isOf: ({ metadata: { labels = {} } }) =>
      labels['app.kubernetes.io/name'] === 'ballast' && labels['app.kubernetes.io/component'] === component,
    start: async (args, kubeconfig) => {
      const map = await client.want('GET', '/api/v1/namespaces/ballast-system/configmaps/ballast-config')
      const file = join(directory, `${component}.yaml`)
      writeFileSync(file, textAt(map, 'data', 'config.yaml') ?? '')
      const own = args.filter(word => !word.startsWith('--config='))
      const more = [`--config=${file}`, '--kubeconfig', kubeconfig, `--health-probe-bind-address=:${port}`]
      return { program: process.execPath, words: [commandLine, ...own, ...more] }
    },
    readyUrl: `http://${address}:${port}/readyz`,
  }
}
