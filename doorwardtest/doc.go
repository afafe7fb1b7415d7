// Package doorwardtest tests what is built on Doorward: [TestStore] is the
// conformance suite that an issuer.Store must pass.
package doorwardtest
