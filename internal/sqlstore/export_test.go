package sqlstore

// NextID is nextID.
var NextID = nextID
