// The descheduler as a process of its own: CronJob or Deployment, its policy, and what is around it.
import { deschedulerRights, electsLeader, isDeschedulerOn, isStaying } from './descheduler-rights.ts'
import { deschedulerPort } from './descheduler-values.ts'
import { monitorOf } from './monitoring-objects.ts'
import { annotationsWith, fullName, metadataOf, nameText, selectorLabels } from './object-shapes.ts'
import { processBudget, tokenMount, tokenVolume, tolerationsOf } from './process-objects.ts'
import {
  all,
  any,
  block,
  type Condition,
  checksum,
  document,
  type Fields,
  lines,
  not,
  type ObjectTree,
  text,
  value,
  when,
} from './tree.ts'

const component = 'descheduler'
const selector = selectorLabels(component)
const of = (key: string) => `descheduler.${key}`
const stays = all(isDeschedulerOn, isStaying)
const comesAndGoes = all(isDeschedulerOn, not(isStaying))
const portName = 'http-metrics'
const directory = '/policy-dir'
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
      ingress: [{ ports: [tcp(deschedulerPort)] }],
      egress: [
        { ports: [{ port: 53, protocol: 'UDP' }, tcp(53)] },
        // API servers listen on either; policies see the port behind the Service. A Prometheus goes into extraEgress.
        { ports: [tcp(443), tcp(6443)] },
        block('networkPolicy.extraEgress'),
      ],
    },
  }
}

function deployment(): Fields {
  const ownStrategy: Condition = { on: of('updateStrategy') }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf({ name: fullName('-descheduler'), component, annotationsOf: [of('annotations')] }),
    spec: {
      replicas: value(of('replicas')),
      revisionHistoryLimit: value(of('revisionHistoryLimit')),
      strategy: {
        '...own': block(of('updateStrategy')),
        // Without a Lease two of them would evict at once.
        '...alone': when(all(not(ownStrategy), not(electsLeader)), { type: 'Recreate' }),
        '...elected': when(all(not(ownStrategy), electsLeader), { type: 'RollingUpdate' }),
      },
      selector: { matchLabels: selector },
      template: { metadata: podMetadata(), spec: pod({ restartPolicy: 'Always' }) },
    },
  }
}

function cronJob(): Fields {
  const optional = (key: string) => when({ present: of(key) }, value(of(key)))
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: metadataOf({
      name: fullName('-descheduler'),
      component,
      labels: { '...job': block(of('cronJobLabels')) },
      annotationsOf: [of('annotations')],
    }),
    spec: {
      schedule: value(of('schedule')),
      timeZone: optional('timeZone'),
      suspend: value(of('suspend')),
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: optional('startingDeadlineSeconds'),
      successfulJobsHistoryLimit: optional('successfulJobsHistoryLimit'),
      failedJobsHistoryLimit: optional('failedJobsHistoryLimit'),
      jobTemplate: {
        metadata: {
          labels: { ...selector, '...job': block(of('jobLabels')) },
          annotations: when({ on: of('jobAnnotations') }, block(of('jobAnnotations'))),
        },
        spec: {
          ttlSecondsAfterFinished: optional('ttlSecondsAfterFinished'),
          activeDeadlineSeconds: optional('activeDeadlineSeconds'),
          template: { metadata: podMetadata(), spec: pod({ restartPolicy: 'Never' }) },
        },
      },
    },
  }
}

function podMetadata(): Fields {
  return {
    labels: { ...selector, '...own': block(of('podLabels')) },
    annotations: annotationsWith(
      {
        'checksum/config': checksum(of('policy')),
        'ballast.dev/coordination-checksum': checksum(of('coordination')),
        'ballast.dev/arbiter-checksum': checksum('arbiter'),
      },
      [of('podAnnotations')],
      true,
    ),
  }
}

function pod({ restartPolicy }: { readonly restartPolicy: 'Always' | 'Never' }): Fields {
  return {
    restartPolicy,
    serviceAccountName: nameText('deschedulerAccount'),
    automountServiceAccountToken: false,
    imagePullSecrets: when(any({ on: 'imagePullSecrets' }, { on: 'global.imagePullSecrets' }), [
      block('imagePullSecrets'),
      block('global.imagePullSecrets'),
    ]),
    priorityClassName: when({ on: of('priorityClassName') }, value(of('priorityClassName'))),
    securityContext: block(of('podSecurityContext')),
    nodeSelector: block(of('nodeSelector')),
    tolerations: tolerationsOf(component),
    affinity: block(of('affinity')),
    topologySpreadConstraints: block(of('topologySpreadConstraints')),
    dnsConfig: block(of('dnsConfig')),
    initContainers: block(of('initContainers')),
    containers: [container()],
    volumes: [
      { name: 'policy', configMap: { name: fullName('-descheduler') } },
      tokenVolume,
      { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
      block(of('extraVolumes')),
    ],
  }
}

function container(): Fields {
  const flag = (name: string, key: string) => text(`--${name}=`, { value: of(key) })
  const elected = (name: string, key: string) =>
    when({ present: of(`leaderElection.${key}`) }, flag(name, `leaderElection.${key}`))
  return {
    name: component,
    image: nameText('image'),
    imagePullPolicy: value('image.pullPolicy'),
    args: [
      component,
      `--config=${directory}/config.yaml`,
      `--policy-config-file=${directory}/policy.yaml`,
      when(isStaying, flag('descheduling-interval', 'interval')),
      when({ on: of('dryRun') }, '--dry-run'),
      flag('v', 'verbosity'),
      when(
        electsLeader,
        '--leader-elect=true',
        elected('leader-elect-lease-duration', 'leaseDuration'),
        elected('leader-elect-renew-deadline', 'renewDeadline'),
        elected('leader-elect-retry-period', 'retryPeriod'),
        elected('leader-elect-resource-name', 'resourceName'),
        elected('leader-elect-resource-namespace', 'resourceNamespace'),
      ),
      block(of('extraArgs')),
    ],
    env: block(of('extraEnv')),
    ports: [{ name: portName, containerPort: deschedulerPort, protocol: 'TCP' }],
    livenessProbe: block(of('livenessProbe')),
    resources: block(of('resources')),
    securityContext: block(of('securityContext')),
    volumeMounts: [
      { name: 'policy', mountPath: directory, readOnly: true },
      tokenMount,
      { name: 'tmp', mountPath: '/tmp' },
      block(of('extraVolumeMounts')),
    ],
  }
}
