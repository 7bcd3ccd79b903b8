"""Where U-Nets lived that earlier versions registered: their pickles name it."""
