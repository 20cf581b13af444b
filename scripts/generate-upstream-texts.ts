// What upstreams write into Events, conditions and answers, as far as we match it: the literals of their own sources, by version. Tests take the
// texts from here, not from their author. The sources are modules that Go keeps after a build with them; where one is absent what is committed stays.
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

interface Literal {
  readonly id: string
  /** `module@version`, the file within it, and what the line of the literal says before it. */
  readonly module: string
  readonly file: string
  readonly before: RegExp
}

const kubernetes = (version: string): readonly Literal[] => {
  const module = `k8s.io/kubernetes@v${version}`
  const controllers = 'pkg/controller/controller_utils.go'
  const preemption = version.startsWith('1.34') ? 'preemption/preemption.go' : 'preemption/executor.go'
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['stateful-set-pod', 'pkg/controller/statefulset/stateful_pod_control.go', /message := fmt\.Sprintf\(/],
    ['stateful-set-pod-failed', 'pkg/controller/statefulset/stateful_pod_control.go', /Failed[^}]*?message := fmt\.Sprintf\(/],
    ['deleted-pod', controllers, /SuccessfulDeletePodReason, /],
    ['delete-failed', controllers, /FailedDeletePodReason, /],
    ['scaled-set', 'pkg/controller/deployment/sync.go', /"ScalingReplicaSet", (?="Scaled %s)/],
    ['scaled-new-set', 'pkg/controller/deployment/sync.go', /"ScalingReplicaSet", (?="Scaled up)/],
    ['taint-marked', 'pkg/controller/tainteviction/taint_eviction.go', /"TaintManagerEviction", (?="Marking)/],
    ['taint-cancelled', 'pkg/controller/tainteviction/taint_eviction.go', /"TaintManagerEviction", (?="Cancelling)/],
    ['killing', 'pkg/kubelet/kuberuntime/kuberuntime_container.go', /message = fmt\.Sprintf\((?="Stopping)/],
    ['killing-reason', 'pkg/kubelet/events/event.go', /KillingContainer\s+= /],
    ['low-on-resource', 'pkg/kubelet/eviction/helpers.go', /nodeLowMessageFmt = /],
    ['pod-ephemeral-storage', 'pkg/kubelet/eviction/helpers.go', /podEphemeralStorageMessageFmt = /],
    ['container-ephemeral-storage', 'pkg/kubelet/eviction/helpers.go', /containerEphemeralStorageMessageFmt = /],
    ['node-shutdown', 'pkg/kubelet/nodeshutdown/nodeshutdown_manager.go', /nodeShutdownMessage = /],
    ['kubelet-preempting', 'pkg/kubelet/preemption/preemption.go', /message = /],
    ['kubelet-preempting-reason', 'pkg/kubelet/events/event.go', /PreemptContainer\s+= /],
    ['preempted', `pkg/scheduler/framework/${preemption}`, /(?="Preempted by )/],
    ['no-priority-class', 'plugin/pkg/admission/priority/admission.go', /fmt\.Errorf\((?="no PriorityClass with name %v)/],
    ['several-budgets', 'pkg/registry/core/pod/storage/eviction.go', /Message: (?="This pod has more)/],
    ['affinity-rules', 'pkg/scheduler/framework/plugins/interpodaffinity/filtering.go', /ErrReasonAffinityRulesNotMatch = /],
  ]
  return rows.map(([id, file, before]) => ({ id, module, file, before }))
}

const admission = (version: string): readonly Literal[] => {
  const module = `k8s.io/apiserver@v${version}`
  const webhook = 'pkg/admission/plugin/webhook/errors/statuserror.go'
  const quota = 'pkg/admission/plugin/resourcequota/controller.go'
  return [
    { id: 'webhook-denied', module, file: webhook, before: /deniedBy := fmt\.Sprintf\(/ },
    { id: 'no-dry-run', module, file: webhook, before: /reason := fmt\.Sprintf\((?=".*dry run)/ },
    { id: 'quota-exceeded', module, file: quota, before: /fmt\.Errorf\((?="exceeded quota)/ },
    { id: 'quota-insufficient', module, file: quota, before: /fmt\.Errorf\((?="insufficient quota to consume)/ },
    { id: 'quota-failed', module, file: quota, before: /fmt\.Errorf\((?="failed quota)/ },
    {
      id: 'pod-security',
      module: `k8s.io/pod-security-admission@v${version}`,
      file: 'admission/admission.go',
      before: /(?="violates PodSecurity %q)/,
    },
  ]
}

const kept = (version: string): readonly Literal[] => [
  {
    id: 'combined',
    module: `k8s.io/client-go@v${version}`,
    file: 'tools/record/events_cache.go',
    before: /return (?="\(combined)/,
  },
  ...admission(version),
]

const evictions = { module: 'sigs.k8s.io/descheduler@v0.36.0', file: 'pkg/descheduler/evictions/evictions.go' } as const
const literals: readonly Literal[] = [
  ...kubernetes('1.34.4'),
  ...kubernetes('1.36.4'),
  ...kept('0.34.4'),
  ...kept('0.36.4'),
  { id: 'descheduled', ...evictions, before: /reason, "Descheduled", / },
  { id: 'descheduled-not', ...evictions, before: /"EvictionFailed", "Descheduled", / },
  { id: 'evacuation', ...evictions, before: /EvictionInBackgroundErrorText\s+= / },
  {
    id: 'evicted-by-vpa',
    module: 'k8s.io/autoscaler/vertical-pod-autoscaler@v1.8.1',
    file: 'pkg/updater/restriction/pods_eviction_restriction.go',
    before: /"EvictedByVPA",\s+/,
  },
]

/** The fixture and its text; none where Go does not have all the sources (`go mod download`). */
export function upstreamTexts(): ReadonlyMap<string, string> {
  const cache = process.env['GOMODCACHE'] ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'pkg', 'mod')
  if (!literals.every(({ module }) => existsSync(join(cache, module)))) return new Map()
  const rows = literals.map(({ id, module, file, before }) => {
    const source = readFileSync(join(cache, module, file), 'utf8')
    const text = new RegExp(`${before.source}("(?:[^"\\\\]|\\\\.)*")`).exec(source)?.[1]
    if (text === undefined) throw new Error(`${module} ${file}: no literal after ${before.source}`)
    // StatefulSets before 1.35 write the verb in small letters, later ones with a capital.
    const verb =
      id !== 'stateful-set-pod'
        ? undefined
        : /message := fmt\.Sprintf[^\n]*\n\s*strings\.ToLower/.test(source)
          ? 'delete'
          : 'Delete'
    return { id, source: `${module} ${file}`, text: JSON.parse(text), ...(verb === undefined ? {} : { verb }) }
  })
  return new Map([['test/fixtures/upstream-texts.json', `[\n${rows.map(row => JSON.stringify(row)).join(',\n')}\n]\n`]])
}
