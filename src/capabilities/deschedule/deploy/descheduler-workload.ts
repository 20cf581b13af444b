// The pods of the descheduler, and what makes them: a Deployment, or a CronJob.

import { annotationsWith, fullName, metadataOf, nameText, selectorLabels } from '#deployment/objects/object-shapes.ts'
import { tokenMount, tokenVolume, tolerationsOf } from '#deployment/objects/process-objects.ts'
import { all, any, block, type Condition, checksum, type Fields, not, text, value, when } from '#deployment/tree.ts'
import { electsLeader, isStaying } from './descheduler-rights.ts'
import { deschedulerPort } from './descheduler-values.ts'

const component = 'descheduler'
const selector = selectorLabels(component)
const of = (key: string) => `descheduler.${key}`
/** Name of its metrics port, in pods and Services. */
export const portName = 'http-metrics'
const directory = '/policy-dir'

/** One that stays. */
export function deployment(): Fields {
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

/** One that comes at its times. */
export function cronJob(): Fields {
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
