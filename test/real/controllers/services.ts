// Endpoints and EndpointSlices: what they hold for pods in every state, named ports, headless services, many endpoints.
import { firstImage, podSpec } from './manifests.ts'
import { type Loose, podNamed, type Scenario, type ScenarioRun } from './scenario.ts'

const kinds = ['Endpoints', 'EndpointSlice'] as const

function pod(name: string, labels: Loose = { app: 'web' }, more: Loose = {}): Loose {
  return {
    metadata: { name, labels },
    spec: podSpec({ containers: [{ name: 'main', image: firstImage, ports: [{ name: 'http', containerPort: 8080 }] }], ...more }),
  }
}

function service(name: string, spec: Loose = {}): Loose {
  return {
    metadata: { name, labels: { team: 'a' } },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }], ...spec },
  }
}

async function pods(run: ScenarioRun, count: number): Promise<void> {
  for (let at = 0; at < count; at++) await run.create('Pod', pod(`web-${at}`))
}

export const serviceScenarios: readonly Scenario[] = [
  {
    name: 'endpoints-of-states',
    kinds,
    async play(run) {
      await run.step('service without pods', () => run.create('Service', service('web')))
      await run.step('pods', () => pods(run, 3))
      await run.step('two ready', () => run.ready(podNamed('web-0', 'web-1')))
      await run.step('one unready', () => run.unready(podNamed('web-1')))
      await run.step('one going', () => run.remove('Pod', 'web-0'))
      await run.step('gone', () => run.gone())
      await run.step('all ready', () => run.ready())
      await run.step('finished', () => run.finish('Succeeded', podNamed('web-2')))
      await run.step('relabelled', () => run.patch('Pod', 'web-1', { metadata: { labels: { app: 'other' } } }))
      await run.step('service deleted', () => run.remove('Service', 'web'))
    },
  },
  {
    name: 'endpoints-headless',
    kinds,
    async play(run) {
      await run.create('Pod', pod('web-0', { app: 'web' }, { hostname: 'web-0', subdomain: 'web' }))
      await run.create('Pod', pod('web-1', { app: 'web' }))
      await run.ready()
      await run.step('headless', () => run.create('Service', service('web', { clusterIP: 'None' })))
      await run.step('without ports', () => run.create('Service', service('bare', { clusterIP: 'None', ports: [] })))
      await run.step('unready too', () => run.create('Service', service('all', { publishNotReadyAddresses: true })))
      await run.step('one unready', () => run.unready(podNamed('web-1')))
    },
  },
  {
    name: 'endpoints-of-ports',
    kinds,
    async play(run) {
      await pods(run, 1)
      await run.ready()
      const ports = [
        { name: 'http', port: 80, targetPort: 'http', appProtocol: 'kubernetes.io/h2c' },
        { name: 'number', port: 81, targetPort: 9090 },
        { name: 'udp', port: 82, protocol: 'UDP' },
        { name: 'absent', port: 83, targetPort: 'no-such-port' },
      ]
      await run.step('created', () => run.create('Service', service('web', { ports })))
      await run.step('a port less', () => run.patch('Service', 'web', { spec: { ports: ports.slice(0, 2) } }))
      await run.step('without selector', () => run.create('Service', service('none', { selector: null })))
      await run.step('elsewhere', () =>
        run.create('Service', service('outside', { type: 'ExternalName', externalName: 'example.com', ports: null })),
      )
    },
  },
]
