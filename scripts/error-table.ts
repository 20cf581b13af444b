// `docs/errors.md`: what each code of an error means. A code that nothing explains here and an explanation whose code is gone both
// stop the generator, and with it `npm run check` and the tests.
import type { Capability } from '../src/coordination/capability.ts'
import { type Form, type UsedCode, usedCodes } from './error-codes.ts'

type Explanations = Readonly<Record<Form, Readonly<Record<string, string>>>>

const explanations: Explanations = {
  problem: {
    'annotations-too-large': 'annotations of an object of at most 256 KiB together',
    'auth-provider': 'an `exec` entry: the named auth provider was taken out of Kubernetes',
    'auth-several': 'a token or a user name in a kubeconfig user, not both',
    'bootstrap-settings': 'settings of one bootstrap kind that go together, as `docs/mirror.md` lists them',
    'certificate-data': 'a certificate or key in PEM form (in a kubeconfig in base64)',
    'certificate-expired': 'a certificate that is still good',
    'certificate-half': 'a client certificate and its key, or neither',
    'cidr-syntax': 'a range of addresses such as `10.42.0.0/16`',
    'cluster-missing': 'a cluster that the kubeconfig has; it lists those there are',
    'configuration-kind': 'the apiVersion and kind of a Ballast configuration',
    'configuration-yaml': 'one YAML document with an object, within the size and aliases that are read',
    'context-missing': 'a context that the kubeconfig has; it lists those there are',
    'cron-syntax': 'a cron schedule of 5 fields, a name such as `@daily`, or `@every` with a duration',
    'data-plane': 'a `dataPlane` that this machine has: `haproxy` asks for HAProxy 3.0 or newer on PATH, and for no access log',
    'dashboard-certificate': 'in `dashboard.tls` and `dashboard.auth.proxy.caFile` files with certificates or a key in PEM form',
    'dashboard-exposed-without-auth': 'a dashboard that only this machine reaches, or that asks who looks, over TLS',
    'dashboard-hosts-missing': '`dashboard.allowedHosts` where others than this machine reach it',
    'dashboard-proxy-unknown': "the authority of the proxy's certificate in `dashboard.auth.proxy.caFile`, or `trustLoopback`",
    'dashboard-proxy-unused': '`dashboard.auth.proxy` beside `auth.mode: proxy` only',
    'dial-timeout': 'a duration of more than zero such as `200ms` for how long containerd tries a mirror',
    'document-shape': 'a Kubernetes object, or a list of them, in each YAML document',
    'duration-syntax': 'a duration such as `1h30m` or `500ms`',
    'energy-node-twice': 'each node once in `spec.energy.nodes`',
    'energy-watts': 'standbyWatts at most idleWatts, idleWatts at most maxWatts',
    'environment-variable': 'a variable of the environment that the command needs, with a value that it can use',
    encrypted: 'values in the open: files encrypted by SOPS are not decrypted here',
    'exec-command': 'the command of an `exec` plugin',
    'exec-mode': '`Never`, `IfAvailable` or `Always` as interactiveMode of an `exec` plugin',
    'exec-shape': 'a map as `exec` of a kubeconfig user',
    'exec-version': 'a version of `client.authentication.k8s.io` that Ballast speaks',
    'field-missing': 'a field that the kind of object must have',
    'field-unknown': 'a field that the definition of its kind describes',
    'field-selector-syntax': 'a field selector such as `spec.nodeName=a,status.phase!=Failed`',
    'field-type': 'a value of the type that the field has',
    'file-missing': 'a kubeconfig file where one was named',
    'file-too-large': 'a file that is short enough to be read',
    'file-unreadable': 'a file that can be read and is short enough',
    'flag-missing': 'a flag that the command cannot do without',
    'flag-value': 'a value that the flag takes',
    'goal-above-headroom': 'a `min` that `spec.headroom` leaves room for on that node',
    'goal-margin':
      'a margin that leaves something of its goal: less than `max`, than what is above `min`, at most the points of `spread` and `deviation`',
    'goal-name-duplicate': 'a name that no other goal of the policy has',
    'goal-resource': 'a resource that a node of the cluster has, and that some of the nodes of the goal have to give',
    'goal-text': '`cpu at most 70% on all`: the message has the form',
    'goal-stat': '`requests`: measured use is for `max` and `min` of each node alone, and of cpu and memory alone',
    'goal-without-bound': '`max`, `min` or both in a goal',
    'goal-without-pool': 'a `pool`, whose groups are compared, or `per: each`',
    'goal-without-rates':
      'the watts (`spec.energy.nodes`) or the price (`spec.prices`) of at least one node of a goal of watts or cost',
    'goal-without-node': 'at least one node in a goal',
    'goals-contradict': 'a `min` and a `max` for one node and resource that can hold together, margins counted',
    'http-url': 'an absolute http or https address, as of a webhook or proxy',
    'impersonation-user': 'a user beside the groups, uid or extra to act as',
    'int-or-string-syntax': 'a whole number, or a percentage such as `25%`',
    'isolation-exception': '`namespace/name` or `namespace/Kind/name` as an exception of an isolation',
    'isolation-nodes': 'a selector that picks the nodes to be isolated, and not all',
    'isolation-off': 'an isolation that is enabled',
    'json-patch-does-not-apply': 'a JSON patch whose paths and tests hold on the object',
    'json-patch-syntax': 'a JSON patch (RFC 6902): a list of operations with op, path and what the op needs',
    'json-syntax': 'JSON; the item of the list is named',
    'kind-unknown': 'a kind and version of a built-in API group, or of a custom one; the nearest name is given',
    'kubeconfig-shape': 'a kubeconfig: a map with lists of clusters, users and contexts by name',
    'kwok-untranslated':
      'an object of kwok that says by paths and values what it means; templates, jq and functions of kwok are not followed',
    'limit-range': 'a whole number from 0 up in `spec.limits`',
    'line-too-long': 'lines that the YAML parser can take; the document is left out',
    'list-too-deep': 'lists of objects that are not nested so deep',
    'object-too-deep': 'an object of at most 200 levels, without an alias within what it stands for',
    'listen-address': 'an address to listen on such as `:8080` or `[::]:8080`',
    'mirror-target-missing': 'at least one mirror that containerd is to ask',
    'mirror-target-wildcard': 'one mirror with its address: a wildcard is none',
    'missing-key': 'a key that has to be there and no default',
    'network-syntax': 'a network such as `10.0.0.0/8`, or an address',
    'no-configuration': "a kubeconfig (`--kubeconfig`, `KUBECONFIG`, `~/.kube/config`) or a pod's service account",
    'no-values': 'values of a chart, or a HelmRelease, Application or Deployment of the upstream that is named',
    'node-address': "the node's own address, as `ballast node-config` wants it",
    'node-duplicate': 'one node of each name; the cluster cannot be read',
    'node-missing': 'the name of a node that the cluster has',
    'node-path': 'a plain absolute path on the node; of Talos only those with which it boots',
    'not-in-cluster': 'the variables that a pod is given by its kubelet',
    'object-duplicate': 'one object of each kind, namespace and name',
    'object-shape': 'an object with apiVersion, kind and metadata.name',
    'object-unworkable': 'an object that its controller can work with; the message is the one of kube-apiserver',
    'owner-absent': 'the ReplicaSet of pods that name it; the twin rebuilds it from its Deployment',
    'pattern-slow': 'a pattern that is quick on a long name',
    'node-feature-of-nobody':
      'a NodeFeature without the label nfd.node.kubernetes.io/node-name describes no node; it is set aside',
    'pattern-syntax': 'a regular expression in RE2 syntax, of bounded length',
    'peer-address': 'an IP address, an IP address with a port, or a multiaddress such as `/ip4/10.0.0.1/tcp/5001`',
    'percent-range': 'a percentage from 0 to 100',
    'permit-shape': 'a DisruptionPermit as its schema says',
    'plan-gone': 'a RebalancePlan that is still there: what it moved is known from its steps',
    'plan-shape': 'a RebalancePlan as its schema says',
    'pod-node-missing': 'in `spec.nodeName` a node of the cluster that is not set aside; the pod is left out',
    'policy-field-type': 'a value of the type that the field of a DeschedulerPolicy has; the message is the one of Go',
    'policy-kind': 'a DeschedulerPolicy of `descheduler/v1alpha2`',
    'policy-plugin': 'a plugin of the descheduler at its extension point, with an entry in `pluginConfig`',
    'policy-shape': 'a RebalancePolicy as its schema says',
    'policy-unknown-field': 'an argument that the plugin of a DeschedulerPolicy has: arguments are strict',
    'policy-unreadable': 'a policy file that can be read and checked: it is there, and the API server knows its PriorityClasses',
    'policy-value': 'a value that the field of a DeschedulerPolicy takes; the message is the one of upstream',
    'policy-yaml': 'one YAML or JSON document with a DeschedulerPolicy, at most 1 MiB',
    'probe-endpoint': '`host:port` of the Service that the cleanup answers on',
    'protobuf-frame': "Kubernetes' frame around protobuf: its four first bytes and an envelope of the right length",
    'proxy-address': 'an `http://`, `https://` or `socks5://` address',
    'quantity-absurd': 'a quantity that a machine can have',
    'quantity-negative': 'a quantity of 0 or more',
    'quantity-syntax': 'a quantity such as `500m`, `1.5` or `2Gi`',
    'quantity-type': 'a quantity as text or number',
    'registry-config-path': 'the absolute path of the directory of hosts files',
    'registry-twice': 'each registry once: its hosts file is named after it',
    'registry-url': 'a registry as `scheme://host[:port]`, http or https, with no path, user or query',
    'chart-table': 'rows of where charts are published, each with url, charts, oci and, where they are needed, tag and since',
    'repository-folder': 'a folder of manifests that can be read, and one change for each of its files',
    'scenario-field': 'a field of a scenario that there is, with a value that it can have; `docs/simulate.md` has them',
    'replayed-object': 'one ScaledObject that a series can be played to',
    'scenario-policy': 'a RebalancePolicy that a step of a scenario can be planned for, or a DeschedulerPolicy',
    'scenario-step': 'a step of a scenario with exactly one operation',
    'scenario-syntax': 'YAML that parses, in a scenario',
    'scenario-target': 'nodes, workloads, pods and objects that are there when a step of a scenario names them',
    'scenario-too-large': 'a scenario that is short enough to be read',
    'schedule-continuous': 'at least 15 minutes between two runs while `coordination.enforce` is true',
    'schedule-missing': 'a cron schedule, or `spec.trigger: manual`',
    'scheduler-configuration-kind': 'a KubeSchedulerConfiguration',
    'scheduler-percentage': 'a whole number from 0 to 100 as percentageOfNodesToScore',
    'scheduler-profile-unknown': 'the schedulerName of a profile in the scheduler configuration',
    'scheduler-shape-missing': 'at least one point in the shape of RequestedToCapacityRatio',
    'scheduler-strategy-unknown': '`LeastAllocated`, `MostAllocated` or `RequestedToCapacityRatio`',
    'selector-syntax': 'a label selector as Kubernetes writes it',
    'signal-name-duplicate': 'a name that no other signal of the policy has',
    'server-address': 'an address such as `https://10.0.0.1:6443`',
    'serving-certificate':
      'in `--tls-cert-file` and `--tls-private-key-file` (or below `--cert-dir`) a certificate and its key in PEM form',
    'simulator-export':
      'an export of kube-scheduler-simulator: a list of objects in each of its fields, and one configuration of the scheduler',
    'source-empty': 'Kubernetes objects in `.yaml`, `.yml` or `.json` files',
    'state-broken': 'the state that a twin wrote; nothing of it is changed',
    'state-in-use': 'a folder of state for each twin',
    'state-version': 'a state of a format that this version reads',
    'source-missing': 'a file or folder that can be read after `--cluster`',
    'talos-fixed': 'of Talos nothing that it writes by itself and always the same',
    'time-syntax': 'a time in RFC 3339 form such as `2026-03-04T05:06:07Z`',
    'several-documents': 'one YAML document of values',
    'several-releases': 'one release of the upstream in a file',
    'tls-contradiction': 'a certificate authority or insecure-skip-tls-verify, not both',
    'token-missing': "the token file of a pod's service account",
    'too-many-registries': 'at most 256 registries or mirrors',
    'twin-clock-real': 'a twin whose clock was made to be steered',
    'twin-clock-speed': '`max`, or how many seconds of the cluster pass in one of ours, up to 10000',
    'twin-expression': 'an expression in CEL that can be read, and yields a value for the object at hand',
    'twin-fault-effect': 'exactly one thing that a fault does, and for a watch exactly one that happens to it',
    'twin-fault-file': 'TwinFault objects alone in the file of `--faults`',
    'twin-fault-on-faults': 'a fault that does not hit `twinfaults` themselves, so that it can be removed',
    'twin-stage-refused': 'a patch of a TwinStage that the API server takes',
    'twin-usage-amount': 'an amount of cores or bytes, or CEL that yields one',
    'unknown-key': 'a key that is known there; the nearest name is given',
    'user-missing': 'a user that the kubeconfig has; it lists those there are',
    'values-policy': 'what the policy of the descheduler needs besides: Secrets that it names are in `descheduler.tokenSecrets`',
    'values-set': '`KEY=VALUE` behind --set, such as `controller.replicas=3`',
    'values-shape': 'a map of values',
    'values-template': 'no template inside of a value but `{{ .Release.Namespace }}` and `{{ .Release.Name }}`',
    'values-yaml': 'one YAML document with a map of keys, without duplicates',
    'window-cron': 'a cron schedule of 5 or 6 fields as the start of a window',
    'window-duration': 'a duration above 0 and at most 8784h as the length of a window',
    'window-syntax': '`CRON;DURATION;ZONE`, such as `0 4 * * *;2h;Europe/Berlin`',
    'window-zone': 'a time zone such as `Europe/Berlin`',
    'wrong-type': 'a value of another type',
    'wrong-value': 'one of the values, or a value within the bounds, that the schema names',
    'yaml-alias': 'aliases that name an anchor, and not too many of them',
    'yaml-syntax': 'YAML; line and column are given',
  },
  finding: {
    action: 'a surge only for a workload that can have one; else an eviction',
    budget: 'a certificate with the one PodDisruptionBudget that covers the pod, and a disruption that it allows then',
    'certificate-number': 'the requests, free amounts and totals that the cluster itself gives at that step',
    destination: 'another node than the one it leaves, the same in move and certificate, and among those acceptable',
    'does-not-fit': 'a destination with room for the pod at that step, and no rule that speaks against it',
    filter: "every one of the scheduler's filters passed",
    goal: 'the state of each goal that the final placement gives',
    'id-repeated': 'an id of its own for each move',
    landing: 'the landing that a replay of the scheduler gives, inside the acceptable nodes',
    'node-missing': 'a node that the cluster has',
    objective: 'the value of the objective that the moves add up to',
    'pod-missing': 'a pod that runs',
    'pod-twice': 'at most one move for each pod',
    'pod-uid': 'the uid that the pod has',
    share: 'the use and percentage of each node that the cluster gives before and after',
    'snapshot-hash': 'the hash of the cluster that the plan was made for',
    source: 'the node that the pod runs on at that step',
    status: 'a status that says what the moves, the goals of the policy and its own figures say',
    'wave-order': 'waves that count up by one',
    workload: 'the topmost controller of the pod',
    'workload-twice': 'at most one move of a workload in a wave',
  },
  reason: {
    'action-bad-body': 'an action of the dashboard was asked for with a body that lacks something, or says what cannot be',
    'action-forbidden': 'the viewer lacks the right that the message names; nothing was written',
    'action-header-missing': 'a write without the header `Ballast-Action: 1`, as a page of another site sends it',
    'action-refused': 'the API server refused the write of an action, in the words that follow',
    'action-target-gone': 'what an action is about is not there any more',
    'action-unconfirmed': 'no answer came to the write of an action: it may have been done. It is not sent again',
    'action-unknown': 'there is no action of that name; the answer lists those there are',
    'actions-off': 'the dashboard only reads: `dashboard.actions` is false, or left out and this is no twin',
    'address-too-long': 'an address or query that is longer than is read',
    'answer-late': 'the dashboard did not come to an answer in time, as while the API server is silent',
    'asset-not-there': 'a script or style of another version of the page, or none is built',
    'bad-address': 'a path or query that is no percent-encoded UTF-8',
    'bad-body': 'a body that is no JSON, or not what the address takes; which field is said',
    'bad-query': 'a key of the query says what cannot be; what would be right is said',
    BLOB_UNKNOWN: 'a registry answer: neither this node nor a peer has the blob; containerd goes on to the next host',
    'body-too-large': 'a body longer than is read',
    changed: 'the permit is for a reload: a ConfigMap, Secret or SecretProviderClass changed that the workload takes',
    'dashboard-ends': 'the dashboard is shutting down; the page asks again',
    'dashboard-not-built':
      'the page has no scripts: they could not be built, or the build tool is missing; it reads but does not move',
    DIGEST_INVALID: 'a registry answer: the digest is of no known algorithm, has upper-case letters or another length',
    'foreign-host': 'the dashboard was asked for by a name that is not in `dashboard.allowedHosts`',
    'foreign-origin': "a write or a read of the API that does not come from the dashboard's own page",
    'idempotency-key-bad': 'a key of a write that is empty, too long or not visible',
    'idempotency-key-used': 'one key sent with two different actions',
    'internal-error': 'a fault of the dashboard itself; its log has the cause',
    isolate: 'the permit is for the taint of a node that is kept for the core',
    'key-needed': 'the dashboard was started with `--key` and the address lacks it, or it was used already',
    'lands-elsewhere': 'skipped: a replacement could land outside of the nodes that the plan accepts',
    MANIFEST_UNKNOWN: 'a registry answer: neither this node nor a peer has the manifest; containerd goes on to the next host',
    'moment-not-kept': 'nothing is kept of the moment that `at` names; from when on there is something is said',
    NAME_INVALID: 'a registry answer: the repository, the tag or `ns` is no name, or `ns` is missing beside a tag',
    'no-answer': 'nothing came back from the server that the page asked; of an action nobody knows whether it was done',
    'no-room': 'skipped: a replacement fits on no node now',
    'no-such-address': 'there is nothing at this address',
    'node-closed': 'skipped: the destination is cordoned or not ready',
    'node-gone': 'skipped: the destination is no longer there',
    'not-json': 'a write whose content type is not JSON',
    'not-ready': 'the permit is for the taint of a node whose agents do not serve yet, or for taking it away',
    'not-there': 'a node, plan, workload or twin that is asked for by name and is not there',
    overfills:
      'skipped: a replacement could land on a node that would then be fuller than the policy has it; the plan is made anew',
    'pause-over': 'the permit resumes a Deployment that a reload paused',
    'plan-changed': 'the plan is another than the one that was seen, or somebody was quicker; nothing was written',
    'plan-expired': 'the plan has expired; nothing was written',
    'plan-over': 'the plan has succeeded or failed; nothing was written',
    'plan-running': 'the plan runs: pause it, then withdraw the rest',
    'pod-elsewhere': 'skipped: the pod runs on another node than the plan says',
    'pod-gone': 'skipped: the pod of the plan is gone, ending or finished',
    'policy-reports': 'the policy of the plan only reports: an approval would do nothing',
    'proxy-unknown': 'in `auth.mode: proxy` somebody else than the proxy asks',
    'proxy-user-missing': 'the proxy names no user, or two, in the header that says who asks',
    'reading-forbidden': "the viewer's account may not list what the page shows; which right it lacks is said",
    rebalance: 'the permit is for a move of a RebalancePlan',
    'rights-unknown': 'the API server has not said whether the viewer may; nothing was done',
    'session-over': 'the session or its token has ended: sign in again',
    'sessions-off': 'sessions are of `auth.mode: token` only',
    'sign-in-needed': 'nobody is signed in',
    'standing-by': 'another pod of ballast-apiserver leads; the answer names it',
    steer: 'the permit is for taints that steer where replacements land',
    'token-not-reviewed': 'the API server cannot be asked whether a token is good',
    'token-refused': 'the API server does not take the token, or it is for another audience',
    toleration: 'the permit is for the roll-out that gives a core workload its toleration',
    'too-many-requests': 'one viewer asks more often than is answered',
    'too-many-streams': 'more streams are open, in all or of one viewer, than are kept; the page asks every 10 s instead',
    'twin-not-reset': 'the source of the twin could not be loaded anew',
    'twin-only': 'time and faults are those of a real cluster',
    UNAUTHORIZED: 'a registry answer: the credentials of `basicAuthSecretName` are missing or wrong',
    'unknown-query-key': 'a key of the query that the address does not take; those it takes are listed',
    UNSUPPORTED: 'a registry answer: another method than GET or HEAD',
    'view-failed': 'a part of the page that could not be made: a bug of ours, told in the log too',
    'wrong-method': 'the address does not take this method; those it takes are listed',
  },
}

const headings: Readonly<Record<Form, { readonly title: string; readonly text: string; readonly column: string }>> = {
  problem: {
    title: 'What was given',
    text: 'Printed as `where: found "…", expected … [code]`, all that were found together. The command line then ends with 2.',
    column: 'expected was',
  },
  finding: {
    title: 'What the verifier finds in a plan',
    text: 'Said by `ballast plan verify`, which then ends with 3. The verifier shares no code with the planner: a finding means that the plan was edited, that the cluster is another than it was made for, or a bug of ours.',
    column: 'expected was',
  },
  reason: {
    title: 'Why a move was asked for or skipped',
    text: 'On DisruptionPermits and in the steps of a RebalancePlan.',
    column: 'meaning',
  },
}

/** Ours with those of `capabilities`. */
function known(capabilities: readonly Capability[]): Explanations {
  const of = (form: Form) => Object.assign({}, explanations[form], ...capabilities.map(({ codes }) => codes?.[form] ?? {}))
  return { problem: of('problem'), finding: of('finding'), reason: of('reason') }
}

/** Path below the project's root → text. @throws Error naming every code without explanation and every explanation without code. */
export function errorTable(root: string, capabilities: readonly Capability[]): ReadonlyMap<string, string> {
  const used = usedCodes(root)
  const all = known(capabilities)
  const faults = tableFaults(used, all)
  if (faults.length > 0) throw new Error(`scripts/error-table.ts: ${faults.join('; ')}`)
  const sections = (['problem', 'finding', 'reason'] as const).map(form => section(form, all[form], used))
  return new Map([['docs/errors.md', `${[introduction, ...sections].join('\n\n')}\n`]])
}

const introduction = `# Error codes

You have a code in square brackets from an error, an event or a permit, and want to know what it means. Search for it, here or in the clone:

\`\`\`sh
grep -F 'cron-syntax' docs/errors.md
\`\`\`

This page is made by \`npm run generate\` from the source. Codes do not change; the words around them may. The reasons why a pod stays where it
is are in [rebalancing.md](rebalancing.md). The twin, as an API server, answers with Kubernetes' own reasons.`

/** What does not match between the codes in use and their explanations. */
export function tableFaults(used: readonly UsedCode[], explained: Explanations): string[] {
  const isUsed = new Set(used.map(({ form, code }) => `${form} ${code}`))
  const isKnown = new Set(Object.entries(explained).flatMap(([form, codes]) => Object.keys(codes).map(code => `${form} ${code}`)))
  return [
    ...[...isUsed].filter(name => !isKnown.has(name)).map(name => `${name} has no explanation`),
    ...[...isKnown].filter(name => !isUsed.has(name)).map(name => `${name} is explained and nothing uses it`),
  ].sort()
}

function section(form: Form, codes: Explanations[Form], used: readonly UsedCode[]): string {
  const { title, text, column } = headings[form]
  const rows = Object.entries(codes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, explanation]) => {
      const rooms = new Set(used.flatMap(use => (use.form === form && use.code === code ? [use.room] : [])))
      return `| \`${code}\` | ${[...rooms].sort().join(', ')} | ${explanation} |`
    })
  return `## ${title}\n\n${text}\n\n| code | from | ${column} |\n|---|---|---|\n${rows.join('\n')}`
}
