"""The servers that Endomask is measured against: the same graph, frame and answer in other frameworks."""
