// `ballast plan -o git` as its user runs it: a real git, a repository as people have them, and a twin that takes the changed manifests.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { nodeUtilisation } from '#cluster/utilisation.ts'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import { runBallast } from './cli/run-ballast.ts'
import { liveObjects, talosExample, writeRepository } from './gitops-repository.ts'

let folder = ''
let live = ''
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'ballast-plan-git-')))
  live = join(folder, 'live.json')
  writeFileSync(live, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: liveObjects() }))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let repo = ''
let count = 0
beforeEach(() => {
  repo = join(folder, `repo-${count++}`)
  mkdirSync(repo)
})

function git(...args: readonly string[]): string {
  const identity = ['-c', 'user.name=homelab', '-c', 'user.email=homelab@example.org', '-c', 'commit.gpgsign=false']
  return execFileSync('git', ['-C', repo, ...identity, ...args], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
}

function commit(): void {
  git('init', '-q')
  git('add', '-A')
  git('commit', '-qm', 'as it is')
}

const plan = (...more: readonly string[]) => runBallast(['plan', '--cluster', live, '-o', 'git', '--repo', repo, ...more])
const changedFiles = () =>
  git('status', '--porcelain', '-uall')
    .split('\n')
    .flatMap(line => (line === '' ? [] : [line.slice(3)]))

describe('on the Talos example', () => {
  const strategic = { type: 'strategic' } as const
  const signal = new AbortController().signal

  test('the diff, applied by git, and the changed manifests, applied to a twin, meet both goals; nothing is left to change', async () => {
    writeRepository(repo)
    commit()
    const { code, output, words } = await plan()
    expect([code, words]).toEqual([0, ''])
    execFileSync('git', ['-C', repo, 'apply'], { input: output })
    const changed = changedFiles()
    expect(changed.length).toBeGreaterThan(5)
    // Nothing but lines that came: comments, order and quotes are the user's.
    expect(
      git('diff', '--numstat')
        .split('\n')
        .filter(line => line !== '')
        .map(line => line.split('\t')[1]),
    ).toEqual(changed.map(() => '0'))

    const clock = new VirtualClock(Date.parse('2025-12-19T12:00:00Z'))
    await using twin = await startTwin({ clock, seed: 7, objects: liveObjects() })
    const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
    await twin.settle({ limitMs: 600_000 })
    const apply = async (manifest: KubeObject, namespace: string) => {
      const resource = manifest.kind === 'StatefulSet' ? builtIn.statefulsets : builtIn.deployments
      await api.resource(resource).patch(manifest.metadata.name, { ...strategic, body: manifest }, { namespace, signal })
    }
    for (const file of changed) {
      const objects = Array.from(parseAllDocuments(readFileSync(join(repo, file), 'utf8'))).map(
        (document): KubeObject => document.toJS(),
      )
      for (const object of objects) {
        const released = (
          object['spec'] as {
            readonly postRenderers?: readonly {
              readonly kustomize: { readonly patches: readonly { readonly patch: string }[] }
            }[]
          }
        ).postRenderers
        if (object.kind === 'HelmRelease')
          for (const { kustomize } of released ?? [])
            for (const { patch } of kustomize.patches) await apply(parse(patch), 'minio')
        else await apply(object, object.metadata.namespace ?? 'monitoring')
      }
    }
    await twin.settle({ limitMs: 3_600_000 })
    const lists = await Promise.all(
      [builtIn.nodes, builtIn.pods].map(async resource => (await api.resource(resource).list({ signal })).items),
    )
    const { state } = buildClusterState(lists.flat())
    const percent = (node: string, resource: string) => nodeUtilisation(state, node).percent(resource).truncated
    expect([...state.pods.values()].filter(pod => !pod.isReady && !pod.isFinished).map(({ key }) => key)).toEqual([])
    expect(percent('talos00', 'cpu')).toBeLessThan(70)
    expect(percent('talos03', 'cpu')).toBeGreaterThanOrEqual(30)
    expect(percent('talos03', 'memory')).toBeLessThanOrEqual(85)
    // As the description said.
    expect(output).toContain(
      `| talos03 | 4.1 % → ${(nodeUtilisation(state, 'talos03').percent('cpu').numerator / 159.5).toFixed(1)} % |`,
    )
    await api.close()

    // The same plan again, before anything is rolled out, has nothing to change; nor has one after.
    git('commit', '-qam', 'rebalance')
    const again = await plan()
    expect([again.code, again.words, again.output.includes('diff --git')]).toEqual([0, 'no file is to be changed\n', false])
    const after = join(folder, 'after.json')
    writeFileSync(
      after,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [...lists.flat(), ...liveObjects().filter(({ kind }) => !['Node', 'Pod'].includes(kind))],
      }),
    )
    const done = await runBallast(['plan', '--cluster', after, '-o', 'git', '--repo', repo])
    expect([done.code, done.output.includes('Every goal holds')]).toEqual([0, true])
  })

  test('the same bytes each time, on standard output or as plan.md and plan.diff in --out', async () => {
    writeRepository(repo)
    commit()
    const out = join(folder, 'out')
    const [one, two] = [await plan(), await plan('--out', out)]
    const written = `${readFileSync(join(out, 'plan.md'), 'utf8').trimEnd()}\n\n${readFileSync(join(out, 'plan.diff'), 'utf8')}`
    expect(written).toBe(one.output)
    expect(two.output).toBe('')
    expect(changedFiles()).toEqual([])
  })

  test('--out leaves alone what no plan wrote', async () => {
    writeRepository(repo)
    commit()
    const out = join(folder, 'notes')
    mkdirSync(out)
    writeFileSync(join(out, 'plan.md'), 'my notes')
    const four = await plan('--out', out)
    expect([four.code, four.words]).toEqual([2, expect.stringContaining('not written by a plan')])
    expect(readFileSync(join(out, 'plan.md'), 'utf8')).toBe('my notes')
  })

  test('a folder within a repository: git takes the diff from there and from the top', async () => {
    const top = repo
    repo = join(top, 'clusters', 'home')
    mkdirSync(repo, { recursive: true })
    writeRepository(repo)
    repo = top
    commit()
    repo = join(top, 'clusters', 'home')
    const { code, output } = await plan()
    expect([code, output.includes('diff --git a/clusters/home/apps/authentik.yaml ')]).toEqual([0, true])
    for (const from of [top, repo]) {
      execFileSync('git', ['-C', from, 'apply'], { input: output })
      expect(changedFiles()).toContain('clusters/home/apps/authentik.yaml')
      git('checkout', '-q', '.')
    }
  })

  test('--firm demands each node', async () => {
    writeRepository(repo)
    commit()
    const { code, output } = await plan('--firm')
    expect(code).toBe(0)
    expect(output).toContain('required, as asked for')
    expect(output).not.toContain('+          preferredDuringScheduling')
  })

  test('--emit-pdbs puts budgets beside the manifests, and into their kustomizations', async () => {
    writeRepository(repo)
    commit()
    const bare = join(folder, 'bare.json')
    const items = liveObjects().filter(
      ({ kind, metadata }) => kind !== 'PodDisruptionBudget' || !['grafana', 'kometa'].includes(metadata.name),
    )
    writeFileSync(bare, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
    const { output } = await runBallast(['plan', '--cluster', bare, '-o', 'git', '--repo', repo, '--emit-pdbs'])
    execFileSync('git', ['-C', repo, 'apply'], { input: output })
    expect(changedFiles()).toEqual(
      expect.arrayContaining(['apps/monitoring/grafana-pdb.yaml', 'apps/kometa-pdb.yaml', 'apps/monitoring/kustomization.yaml']),
    )
    expect(parse(readFileSync(join(repo, 'apps/monitoring/kustomization.yaml'), 'utf8')).resources).toContain('grafana-pdb.yaml')
    expect(parse(readFileSync(join(repo, 'apps/kometa-pdb.yaml'), 'utf8'))).toMatchObject({
      metadata: { name: 'kometa', namespace: 'media' },
      spec: { maxUnavailable: 1 },
    })
    expect(parse(readFileSync(join(repo, 'apps/monitoring/grafana-pdb.yaml'), 'utf8')).metadata).toEqual({ name: 'grafana' })
  })

  test('without a repository: patches as a component of kustomize', async () => {
    const out = join(folder, 'component')
    const { code, words } = await runBallast(['plan', '--cluster', live, '-o', 'git', '--out', out])
    expect([code, words]).toEqual([0, expect.stringContaining('kustomization.yaml: written')])
    const component = parse(readFileSync(join(out, 'kustomization.yaml'), 'utf8'))
    expect(component.kind).toBe('Component')
    for (const { path, target } of component.patches)
      expect(parse(readFileSync(join(out, path), 'utf8'))).toMatchObject({ kind: target.kind, metadata: { name: target.name } })
    const again = await runBallast(['plan', '--cluster', live, '-o', 'git', '--out', out])
    expect(again.words).toBe(`${out}: unchanged\n`)
  })

  test('what is not in the repository is named, with a patch, and ends with 3', async () => {
    writeRepository(repo)
    rmSync(join(repo, 'apps/minio'), { recursive: true })
    rmSync(join(repo, 'apps/media.yaml'))
    commit()
    const { code, words, output } = await plan()
    expect(code).toBe(3)
    expect(words).toContain(
      'not edited: StatefulSet minio/minio: release minio of Helm makes StatefulSet minio/minio, and no HelmRelease of it is here',
    )
    expect(words).toContain('not edited: Deployment media/kometa: no manifest of Deployment media/kometa is here')
    expect(output).toContain('## Not in these files')
    expect(output).toContain('diff --git a/apps/authentik.yaml b/apps/authentik.yaml')
  })
})

describe('is careful with what is not its own', () => {
  test('a file with changes that are not committed: refused by name, nothing written', async () => {
    writeRepository(repo)
    commit()
    const file = join(repo, 'apps/authentik.yaml')
    writeFileSync(file, `${readFileSync(file, 'utf8')}# half a thought\n`)
    for (const more of [[], ['--write']]) {
      const { code, words, output } = await plan(...more)
      expect([code, words, output]).toEqual([
        2,
        'ballast: apps/authentik.yaml: changed since the last commit; commit or stash that first, nothing was written\n',
        '',
      ])
    }
    expect(changedFiles()).toEqual(['apps/authentik.yaml'])
  })

  test('a file that git does not keep: refused', async () => {
    writeRepository(repo)
    writeFileSync(join(repo, '.gitignore'), 'apps/catalyst.yaml\n')
    commit()
    const { code, words } = await plan('--write')
    expect([code, words]).toEqual([2, expect.stringContaining('apps/catalyst.yaml: not kept by git')])
    expect(changedFiles()).toEqual([])
  })

  test('--write changes the manifests; outside of git it does not', async () => {
    writeRepository(repo)
    const refused = await plan('--write')
    expect([refused.code, refused.words]).toEqual([2, expect.stringContaining('is in no git repository')])
    commit()
    const { code, words } = await plan('--write')
    expect([code, words]).toEqual([0, expect.stringContaining('apps/authentik.yaml: changed')])
    expect(changedFiles()).toContain('apps/monitoring/mimir-querier.yaml')
    expect(existsSync(join(repo, 'apps/authentik.yaml.ballast-new'))).toBe(false)
  })

  test('links are not followed: what they lead to is neither read nor written', async () => {
    writeRepository(repo)
    const outside = join(folder, 'outside')
    mkdirSync(outside)
    for (const name of ['authentik.yaml', 'catalyst.yaml']) {
      writeFileSync(join(outside, name), readFileSync(join(repo, 'apps', name)))
      rmSync(join(repo, 'apps', name))
    }
    symlinkSync(join(outside, 'authentik.yaml'), join(repo, 'apps/authentik.yaml'))
    symlinkSync(outside, join(repo, 'apps/elsewhere'))
    commit()
    const before = readFileSync(join(outside, 'authentik.yaml'), 'utf8')
    const { code, words } = await plan('--write')
    expect(code).toBe(3)
    expect(words).toContain('left out: apps/authentik.yaml: it is a link')
    expect(words).toContain('not edited: Deployment authentik/authentik: no manifest')
    expect(readFileSync(join(outside, 'authentik.yaml'), 'utf8')).toBe(before)
    expect(changedFiles().every(file => !file.includes('elsewhere'))).toBe(true)
  })

  test('a kustomization that leads out of the repository takes in nothing from there', async () => {
    writeRepository(repo)
    const outside = join(folder, 'above')
    mkdirSync(outside)
    rmSync(join(repo, 'apps/media.yaml'))
    writeFileSync(
      join(outside, 'kometa.yaml'),
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: kometa, namespace: media}\n',
    )
    writeFileSync(join(repo, 'kustomization.yaml'), 'resources: [../above/kometa.yaml, ../above]\n')
    commit()
    const { words } = await plan('--write')
    expect(words).toContain('not edited: Deployment media/kometa: no manifest')
    expect(readFileSync(join(outside, 'kometa.yaml'), 'utf8')).not.toContain('affinity')
  })

  test('--out with a link in it: refused', async () => {
    const out = join(folder, 'linked')
    const target = join(folder, 'target')
    mkdirSync(join(out, 'x'), { recursive: true })
    mkdirSync(target)
    symlinkSync(target, join(out, 'patches'))
    const { code, words } = await runBallast(['plan', '--cluster', live, '-o', 'git', '--out', out])
    expect([code, words]).toEqual([2, expect.stringContaining('patches: it is a link; nothing was written')])
    expect(existsSync(join(out, 'plan.md'))).toBe(false)
  })

  test("a repository's own configuration runs nothing", async () => {
    writeRepository(repo)
    commit()
    const trap = join(folder, 'trap.sh')
    writeFileSync(trap, `#!/bin/sh\ntouch ${folder}/sprung\n`, { mode: 0o755 })
    git('config', 'core.fsmonitor', trap)
    const { code } = await plan()
    expect([code, existsSync(join(folder, 'sprung'))]).toEqual([0, false])
  })

  // biome-ignore format: a table
  test.each([
    ['neither repository nor folder', ['-o', 'git'], '-o git needs --repo DIR'],
    ['a repository that is not there', ['-o', 'git', '--repo', '/nowhere/at/all'], '--repo: found "/nowhere/at/all", expected a folder that can be read'],
    ['--write without a repository', ['-o', 'git', '--out', 'x', '--write'], '--write changes the manifests of --repo DIR'],
    ['--overlay without a repository', ['-o', 'git', '--out', 'x', '--overlay', 'a'], '--overlay is a folder of --repo DIR'],
    ['an overlay that is none', ['-o', 'git', '--repo', talosExample, '--overlay', 'prod'], '--overlay prod: no kustomization is there; there are none'],
  ])('%s ends with 2', async (_what, args, said) => {
    const { code, words } = await runBallast(['plan', '--cluster', live, ...args])
    expect([code, words]).toEqual([2, expect.stringContaining(said)])
  })
})
