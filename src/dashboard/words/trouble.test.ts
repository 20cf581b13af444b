import { expect, test } from 'vitest'
import { troubleWords } from './trouble.ts'

test.each([
  ['GET /api/v1/pods?limit=500: no answer within 30000 ms', 'no answer within 30 s'],
  [
    'GET https://10.0.0.1:6443/api/v1/pods?limit=500&watch=1: connect ECONNREFUSED 10.0.0.1:6443',
    'nobody listens at its address',
  ],
  ['GET /api/v1/nodes: other side closed', 'the connection was cut'],
  ['GET /apis/apps/v1/deployments: getaddrinfo ENOTFOUND k8s.example', 'its name leads to no address'],
  ['WATCH /api/v1/pods', 'the request failed'],
  ['a redirect to https://other.example/a, which is not followed', 'a redirect to its address, which is not followed'],
  ['etcdserver: leader changed', 'etcdserver: leader changed'],
])('%s', (message, words) => expect(troubleWords(message)).toBe(words))
