// The steps of a descheduler's swap as a person would run them: lines for a shell, with the names of this very cluster.
import type { KubeObject } from '#kube/objects/objects.ts'
import { deschedulerFlags, policySource } from '#upstreams/descheduler/descheduler-workload.ts'
import { fullName, type Loop, type OwnDescheduler } from './descheduler-situation.ts'

type Named = Pick<Loop, 'workload' | 'namespace' | 'name'>

const isCron = ({ kind }: KubeObject) => kind === 'CronJob'

export function sleepCommand({ workload, namespace, name }: Named): string {
  return isCron(workload)
    ? `kubectl -n ${namespace} patch cronjob ${name} -p '{"spec":{"suspend":true}}'`
    : `kubectl -n ${namespace} scale deployment ${name} --replicas=0`
}

export function wakeCommand({ workload, namespace, name }: Named, replicas: number): string {
  return isCron(workload)
    ? `kubectl -n ${namespace} patch cronjob ${name} -p '{"spec":{"suspend":false}}'`
    : `kubectl -n ${namespace} scale deployment ${name} --replicas=${replicas}`
}

/** Of upstream's, with its policy. */
export function convertCommand({ workload, namespace, name }: Named): string {
  const kind = workload.kind.toLowerCase()
  const policy = policySource({ ...workload })?.configMap ?? '<its policy>'
  const objects = `(kubectl -n ${namespace} get ${kind} ${name} -o yaml; echo ---; kubectl -n ${namespace} get configmap ${policy} -o yaml)`
  return `${objects} | ballast migrate values --from descheduler -n ${namespace} -o values.yaml -`
}

/** Of an installation that is there only the descheduler is applied: all else was made by values that are not here. */
export function installCommand({ workload }: Named, ours: OwnDescheduler | undefined): string {
  const asleep = isCron(workload) ? 'descheduler.suspend=true' : 'descheduler.replicas=0'
  const apply = 'kubectl apply --server-side'
  if (ours === undefined) return `ballast manifests -f values.yaml --set namespace.create=true --set ${asleep} | ${apply} -f -`
  const { controller, namespace, release } = ours
  const name = fullName(controller)
  const names = `-n ${namespace} --release ${release}${name === undefined ? '' : ` --set fullnameOverride=${name}`}`
  return `ballast manifests -f values.yaml ${names} --set ${asleep} | ${apply} --force-conflicts -l app.kubernetes.io/component=descheduler -f -`
}

/** Beside upstream, while it is awake. */
export function shadowCommand({ workload, namespace }: Named): string {
  const source = policySource({ ...workload })
  const read =
    source === undefined
      ? ''
      : `kubectl -n ${namespace} get configmap ${source.configMap} -o jsonpath='{.data.${source.key.replaceAll('.', '\\.')}}' > policy.yaml && `
  const interval = deschedulerFlags({ ...workload }).get('descheduling-interval')
  const told = typeof interval === 'string' ? ` --descheduling-interval ${interval}` : ''
  return `${read}ballast shadow --policy-config-file policy.yaml${told} --cycles 1   # the table of pods, one interval long`
}
