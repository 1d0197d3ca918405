// The little of Jest's interface that kill-port's tests use. What they expect of promises is awaited, though they don't await it.
'use strict'

const test = require('node:test')
const assert = require('node:assert')

let pending = []

global.describe = test.describe
global.test = (name, body) =>
  test.test(name, async () => {
    pending = []
    await body()
    await Promise.all(pending)
  })
global.expect = (value) => ({
  toBeDefined: () => assert.notStrictEqual(value, undefined),
  rejects: {
    toThrow: () => {
      const rejected = assert.rejects(Promise.resolve(value))
      pending.push(rejected)
      return rejected
    }
  }
})
