import { expect, test } from 'vitest'
import { nodePath, planPath, podPath, workloadPath } from '../../words/links.ts'
import { addressOf } from './routes.ts'

// biome-ignore format: a table
test.each([
  ['/',                                                        'overview',  {}],
  ['/plan',                                                    'plans',     {}],
  [planPath('talos-7f3c'),                                     'plan',      { name: 'talos-7f3c' }],
  ['/permits',                                                 'permits',   {}],
  ['/workloads',                                               'workloads', {}],
  [workloadPath({ kind: 'Deployment', namespace: 'a', name: 'b' }), 'workload', { namespace: 'a', kind: 'Deployment', name: 'b' }],
  [workloadPath({ kind: 'Thing', namespace: null, name: 'b' }), 'workload', { namespace: '', kind: 'Thing', name: 'b' }],
  [podPath('a', 'b'),                                          'workload',  { namespace: 'a', kind: 'Pod', name: 'b' }],
  [nodePath('a/b c'),                                          'node',      { name: 'a/b c' }],
  ['/rebalancing',                                             'rebalancing', {}],
  ['/twin',                                                    'twin',      {}],
  ['/settings',                                                'settings',  {}],
  ['/help',                                                    'help',      {}],
  ['/plan/a/b',                                                'not-found', {}],
  ['/power',                                                   'capability', { name: 'power' }],
  ['/plan/%E0%A4%A',                                           'not-found', {}],
])('%s shows %s', (path, page, params) => expect(addressOf(path, '')).toMatchObject({ page, params, path }))

test('the query comes along', () => expect(addressOf('/permits', '?rule=CoolDown').query.get('rule')).toBe('CoolDown'))
