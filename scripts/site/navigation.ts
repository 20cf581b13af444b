// What stands beside each page, by what a reader wants to do.
import type { DefaultTheme } from 'vitepress'
import type { Pages } from './pages.ts'

/** Task → pages with the words that lead there. */
const tasks: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Begin: {
    index: 'What Ballast is',
    install: 'Install, upgrade, remove',
    features: 'What works, and what does not',
  },
  'See what is there': {
    look: 'Look at a cluster',
    doctor: 'Find what is wrong',
    dashboard: 'The dashboard',
  },
  'Try before you do': {
    twin: 'A twin of a cluster',
    simulate: 'What if',
    foreign: 'Tried on others’ repositories',
  },
  'Move pods': {
    arbiter: 'What may disrupt what',
    rebalancing: 'Rebalance nodes',
    isolation: 'Keep a node for the core',
    reload: 'Restart on change',
  },
  'Scale and measure': {
    autoscaling: 'Scale by events',
    gateway: 'Wake by requests',
    metrics: 'Resource metrics',
  },
  'Run nodes': {
    mirror: 'Images between nodes',
    'node-config': 'Set up containerd',
    readiness: 'Hold new nodes',
    'node-features': 'Label nodes',
    devices: 'Share GPUs and NPUs',
    'device-operator': 'Operate Intel’s plugins',
    nfs: 'Mount NFS volumes',
  },
  'Come from elsewhere': {
    upstreams: 'What Ballast replaces',
    'migrate-oci': 'Charts as OCI artefacts',
    'migrate-helmfile': 'Ballast in a helmfile',
  },
  'Look up': {
    alerts: 'Alerts',
    errors: 'Error codes',
    limits: 'Limits',
    performance: 'Performance',
    glossary: 'Glossary',
    changes: 'Changes',
    security: 'Security',
  },
  'Work on Ballast': {
    architecture: 'Architecture',
    contributing: 'Contributing',
    'writing-a-capability': 'Write a capability',
    release: 'Make a release',
  },
}

/** The list beside the pages. @throws Error where it and the pages are not the same */
export function sidebarOf(pages: Pages): DefaultTheme.SidebarItem[] {
  const named = Object.values(tasks).flatMap(Object.keys)
  const absent = named.filter(name => !pages.has(`${name}.md`))
  const unnamed = [...pages.keys()].filter(page => !named.includes(page.replace(/\.md$/, '')))
  if (absent.length > 0) throw new Error(`the site's navigation names ${absent.join(', ')}, and there is no such page`)
  if (unnamed.length > 0)
    throw new Error(`the site's navigation lacks ${unnamed.join(', ')}: add a row for each in scripts/site/navigation.ts`)
  return Object.entries(tasks).map(([text, items]) => ({
    text,
    items: Object.entries(items).map(([name, title]) => ({ text: title, link: `/${name === 'index' ? '' : name}` })),
  }))
}
