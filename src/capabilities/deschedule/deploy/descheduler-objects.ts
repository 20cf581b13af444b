// The descheduler as a process of its own: its policy, and what is around its CronJob or Deployment.

import { monitorOf } from '#deployment/objects/monitoring-objects.ts'
import { fullName, metadataOf, selectorLabels } from '#deployment/objects/object-shapes.ts'
import { processBudget } from '#deployment/objects/process-objects.ts'
import { all, any, block, document, type Fields, lines, not, type ObjectTree, value, when } from '#deployment/tree.ts'
import { deschedulerRights, isDeschedulerOn, isStaying } from './descheduler-rights.ts'
import { deschedulerPort } from './descheduler-values.ts'
import { cronJob, deployment, portName } from './descheduler-workload.ts'

const component = 'descheduler'
const selector = selectorLabels(component)
const of = (key: string) => `descheduler.${key}`
const stays = all(isDeschedulerOn, isStaying)
const comesAndGoes = all(isDeschedulerOn, not(isStaying))
const isScraped = any({ on: 'metrics.serviceMonitor.enabled' }, { on: of('service.enabled') })

/** None unless somebody enables it. */
export function deschedulerObjects(): readonly ObjectTree[] {
  const file = 'descheduler/around.yaml'
  return [
    ...deschedulerRights(),
    { file, when: isDeschedulerOn, tree: policy() },
    { file, when: all(stays, isScraped), tree: service() },
    { file, when: all(isDeschedulerOn, { on: 'networkPolicy.enabled' }), tree: networkPolicy() },
    { file, when: all(stays, { on: of('podDisruptionBudget.enabled') }), tree: budget() },
    monitorOf('ServiceMonitor', component, [stays], endpoint({ port: portName })),
    monitorOf('PodMonitor', component, [stays], endpoint({ port: portName })),
    { file: 'descheduler/workload.yaml', when: stays, tree: deployment() },
    { file: 'descheduler/workload.yaml', when: comesAndGoes, tree: cronJob() },
  ]
}

function policy(): Fields {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadataOf({ name: fullName('-descheduler'), component }),
    data: {
      'policy.yaml': document(of('policy')),
      // What there is no flag for. The controller's own file is of planned moves, for which the arbiter has other rules.
      'config.yaml': lines([
        { text: 'apiVersion: ballast.dev/v1alpha1' },
        { text: 'kind: BallastConfiguration' },
        { text: 'arbiter: ', value: 'arbiter' },
        { text: 'capabilities:' },
        { text: '  deschedule:' },
        { text: '    arbitration: ', value: of('arbitration') },
        { text: '    coordination: ', value: of('coordination') },
      ]),
    },
  }
}

function service(): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf({ name: fullName('-descheduler'), component }),
    spec: {
      type: 'ClusterIP',
      clusterIP: 'None',
      ipFamilyPolicy: when({ on: of('service.ipFamilyPolicy') }, value(of('service.ipFamilyPolicy'))),
      ipFamilies: block(of('service.ipFamilies')),
      selector,
      ports: [{ name: portName, port: deschedulerPort, targetPort: deschedulerPort, protocol: 'TCP' }],
    },
  }
}

function endpoint(port: Fields): Fields {
  return {
    ...port,
    scheme: 'https',
    honorLabels: value(of('serviceMonitor.honorLabels')),
    tlsConfig: {
      insecureSkipVerify: value(of('serviceMonitor.insecureSkipVerify')),
      serverName: when({ on: of('serviceMonitor.serverName') }, value(of('serviceMonitor.serverName'))),
    },
  }
}

function budget(): Fields {
  const made = processBudget(component)
  return {
    ...made,
    metadata: metadataOf({
      name: fullName('-descheduler'),
      component,
      annotationsOf: [of('podDisruptionBudget.annotations')],
    }),
  }
}

function networkPolicy(): Fields {
  const tcp = (port: number): Fields => ({ port, protocol: 'TCP' })
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf({ name: fullName('-descheduler'), component }),
    spec: {
      podSelector: { matchLabels: selector },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: [tcp(deschedulerPort)], from: block('networkPolicy.from.metrics') }],
      egress: [
        { ports: [{ port: 53, protocol: 'UDP' }, tcp(53)] },
        // API servers listen on either; policies see the port behind the Service. A Prometheus goes into extraEgress.
        { ports: [tcp(443), tcp(6443)] },
        block('networkPolicy.extraEgress'),
      ],
    },
  }
}
