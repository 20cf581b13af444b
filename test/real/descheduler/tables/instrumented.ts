// A copy of upstream's module whose plugins tell the recorder what they are given and what they do: upstream's own tests are run in it.
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const modulePath = 'sigs.k8s.io/descheduler'
const pluginsDirectory = 'pkg/framework/plugins'
const recorder = 'pkg/recorder'

interface Edit {
  /** Begins the line of the function; what it captures is in `call` as `$1`, `$2`. */
  readonly signature: RegExp
  /** The line instead, its results named. */
  readonly named: string
  readonly call: string
}

const handle = '$1.handle.ClientSet()'

/** In every file of every plugin. */
const pluginEdits: readonly Edit[] = [
  {
    signature:
      /^func \((\w+) \*(\w+)\) (Deschedule|Balance)\(ctx context\.Context, nodes \[\]\*v1\.Node\) \*frameworktypes\.Status \{/gm,
    named: 'func ($1 *$2) $3(ctx context.Context, nodes []*v1.Node) (recorded *frameworktypes.Status) {',
    call: `recorder.Ran("$2", $1.args, ${handle}, nodes)(func() error { if recorded == nil { return nil }; return recorded.Err })`,
  },
  {
    signature: /^func \((\w+) \*DefaultEvictor\) (Filter|PreEvictionFilter)\(pod \*v1\.Pod\) bool \{/gm,
    named: 'func ($1 *DefaultEvictor) $2(pod *v1.Pod) (recorded bool) {',
    call: `recorder.Asked("$2", $1.args, ${handle}, pod, &recorded)`,
  },
  {
    signature: /^func Validate(\w+)\(obj runtime\.Object\) error \{/gm,
    named: 'func Validate$1(obj runtime.Object) (recorded error) {',
    call: 'recorder.Checked("$1", obj, &recorded)',
  },
  {
    signature: /^func SetDefaults_(\w+)\(obj runtime\.Object\) \{/gm,
    named: 'func SetDefaults_$1(obj runtime.Object) {',
    call: 'recorder.Defaulted("$1", obj)()',
  },
]

const podsOn = 'func(name string) ([]*v1.Pod, error) { return nodeIndexer(name, nil) }'

/** In one file each. */
const otherEdits: readonly (readonly [file: string, edit: Edit])[] = [
  [
    `${pluginsDirectory}/defaultevictor/defaultevictor.go`,
    {
      signature: /^func New\(ctx context\.Context, args runtime\.Object, (\w+) (frameworktypes\.Handle)\) \((.+)\) \{/gm,
      named: 'func New(ctx context.Context, args runtime.Object, $1 $2) ($3) {',
      call: 'recorder.Evictor(args)',
    },
  ],
  [
    `${pluginsDirectory}/nodeutilization/usageclients.go`,
    {
      signature: /^func NodeUsageFromPrometheusMetrics\((.+)\) \((map.+), error\) \{/gm,
      named: 'func NodeUsageFromPrometheusMetrics($1) (recorded $2, _ error) {',
      call: 'func() { recorder.Shares(recorded) }()',
    },
  ],
  [
    'pkg/descheduler/metricscollector/metricscollector.go',
    {
      signature: /^func \((\w+) \*MetricsCollector\) AllNodesUsage\(\) \((map.+), error\) \{/gm,
      named: 'func ($1 *MetricsCollector) AllNodesUsage() (recorded $2, _ error) {',
      call: 'func() { recorder.Averages(recorded, $1.metricsClientset) }()',
    },
  ],
  [
    'pkg/descheduler/evictions/evictions.go',
    {
      signature: /^func \((\w+) \*PodEvictor\) EvictPod\((.+)\) error \{/gm,
      named: 'func ($1 *PodEvictor) EvictPod($2) (recorded error) {',
      call: 'recorder.Evicted(pod, &recorded)',
    },
  ],
  [
    'pkg/framework/testing/utils.go',
    {
      signature: /^func InitFrameworkHandle\(([^{]+)\{/gm,
      named: 'func InitFrameworkHandle($1{',
      call: 'evictionOptions.Recorded()',
    },
  ],
  [
    'pkg/descheduler/policyconfig.go',
    {
      signature: /^func decode\((.+)\) \((.+), error\) \{/gm,
      named: 'func decode($1) (_ $2, recorded error) {',
      call: 'recorder.Decoded(policy, &recorded)',
    },
  ],
  [
    'pkg/descheduler/node/node.go',
    {
      signature: /^func NodeFit\((.+)\) error \{/gm,
      named: 'func NodeFit($1) (recorded error) {',
      call: `recorder.Fitted("NodeFit", ${podsOn}, pod, node)(func() bool { return recorded == nil })`,
    },
  ],
  [
    'pkg/descheduler/node/node.go',
    {
      signature: /^func (PodFitsAnyOtherNode|PodFitsAnyNode)\((.+)\) bool \{/gm,
      named: 'func $1($2) (recorded bool) {',
      call: `recorder.Fitted("$1", ${podsOn}, pod, nodes...)(func() bool { return recorded })`,
    },
  ],
  [
    'pkg/descheduler/node/node.go',
    {
      signature: /^func PodFitsCurrentNode\((.+)\) bool \{/gm,
      named: 'func PodFitsCurrentNode($1) (recorded bool) {',
      call: `recorder.Fitted("PodFitsCurrentNode", ${podsOn}, pod, node)(func() bool { return recorded })`,
    },
  ],
]

/** Upstream keeps the limits of its options to itself. */
const limitsFile = `package evictions

import "${modulePath}/${recorder}"

// Recorded tells the recorder the limits of these options, of which there may be none.
func (options *Options) Recorded() {
	if options == nil {
		options = NewOptions()
	}
	recorder.Limits(options.maxPodsToEvictTotal, options.maxPodsToEvictPerNode, options.maxPodsToEvictPerNamespace, options.gracePeriodSeconds)
}
`

/** Copies the module at `source` to `directory` and puts the recorder in. @throws Error where upstream's functions are not as they were */
export function instrumentedCopy(source: string, directory: string): void {
  cpSync(source, directory, { recursive: true })
  // The module cache is read-only.
  for (const { parentPath, name } of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    chmodSync(join(parentPath, name), 0o755)
  }
  chmodSync(directory, 0o755)
  mkdirSync(join(directory, recorder))
  copyFileSync(join(import.meta.dirname, 'recorder.go'), join(directory, recorder, 'recorder.go'))
  writeFileSync(join(directory, 'pkg/descheduler/evictions/recorded.go'), limitsFile)
  for (const [file, edit] of otherEdits) needOne(edit, file, editFile(join(directory, file), edit))
  for (const edit of pluginEdits) {
    const edited = pluginSources(directory).map(path => editFile(path, edit))
    needOne(
      edit,
      pluginsDirectory,
      edited.reduce((sum, count) => sum + count, 0),
    )
  }
}

function pluginSources(directory: string): readonly string[] {
  return readdirSync(join(directory, pluginsDirectory), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.go') && !path.endsWith('_test.go') && !path.startsWith('example/'))
    .map(path => join(directory, pluginsDirectory, path))
}

function needOne({ signature }: Edit, where: string, count: number): void {
  if (count === 0) throw new Error(`${where}: found no function like ${signature.source}, expected one: upstream has changed`)
}

/** How many functions of the file now call the recorder. */
function editFile(path: string, { signature, named, call }: Edit): number {
  const text = readFileSync(path, 'utf8')
  const count = text.match(signature)?.length ?? 0
  if (count === 0) return 0
  const edited = text.replaceAll(signature, `${named}\n\tdefer ${call}\n`)
  const importLine = `import "${modulePath}/${recorder}"`
  const hasImport = edited.includes(importLine) || !call.includes('recorder.')
  writeFileSync(path, hasImport ? edited : edited.replace(/^(package \w+)$/m, `$1\n\n${importLine}`))
  return count
}
