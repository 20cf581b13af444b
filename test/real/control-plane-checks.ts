// The real parts themselves: they start, agree on their versions, and stock kubectl works with them.
import type { Check } from './check.ts'
import { kubectlPath } from './control-plane/debian.ts'
import { startControlPlane } from './control-plane/start.ts'
import { commandOutput } from './run-command.ts'

export const controlPlaneChecks: readonly Check[] = [
  {
    name: 'a pod runs its course on a real control plane',
    async run() {
      const plane = await startControlPlane({ scheduler: '1.36', controllerManager: true })
      try {
        const flags = [`--kubeconfig=${plane.kubeconfig}`]
        const node = {
          apiVersion: 'v1',
          kind: 'Node',
          metadata: { name: 'n0' },
          status: { allocatable: { cpu: '4', memory: '4Gi', pods: '9' } },
        }
        await plane.client.want('POST', '/api/v1/nodes', node)
        const seen: string[] = []
        for (const version of ['1.32', 'newest'] as const) {
          const kubectl = await kubectlPath(version)
          const name = `web-${version.replaceAll('.', '-')}`
          const run = (...args: string[]) => commandOutput(kubectl, [...flags, ...args], { timeoutMs: 60_000 })
          await run('create', 'deployment', name, '--image=registry.example/web:v1', '--replicas=2')
          await run('wait', `deployment/${name}`, '--for=jsonpath={.status.replicas}=2', '--timeout=30s')
          await run('wait', 'pod', '-l', `app=${name}`, '--for=condition=PodScheduled', '--timeout=30s')
          seen.push(/Client Version: (\S+)/.exec(await run('version'))?.[1] ?? 'unknown')
        }
        return `server ${plane.serverVersion}, kubectl ${seen.join(' and ')}`
      } finally {
        await plane.stop()
      }
    },
  },
]
