// kill-port's interface: `kill`.
'use strict'

const { execFile } = require('node:child_process')

module.exports = (port, method = 'tcp') =>
  new Promise((resolve, reject) => {
    const words = ['kill', String(port), '--protocol', method, '--yes', '--force']
    execFile(process.env.PORTKEEPER, words, (error, stdout, stderr) =>
      error ? reject(new Error(stderr.trim())) : resolve({ stdout, stderr }))
  })
