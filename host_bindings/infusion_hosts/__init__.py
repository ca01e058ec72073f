"""One package per compositing host; hosts are independent of each other and of the engine."""
